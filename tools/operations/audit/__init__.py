"""`regcred audit`: proofs and archive of the audit trail."""
