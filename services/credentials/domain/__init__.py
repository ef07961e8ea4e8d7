"""Pure: what a credential is, what may happen to it, and the forms in which one arrives."""
