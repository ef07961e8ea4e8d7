"""Clock, ids, lifecycle, version and health of a process."""
