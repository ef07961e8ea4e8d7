"""`regcred log`: verify, sign and export the event log."""
