"""The secrets that a credential stores, in the form in which the secret store has them."""
