"""Clock, lifecycle, version and health of a process."""
