"""New generations of the read models, built from the whole log beside the live one."""
