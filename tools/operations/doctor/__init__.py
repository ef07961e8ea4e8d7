"""`regcred doctor`: finds the problems of an installation and how to fix them. It changes nothing."""
