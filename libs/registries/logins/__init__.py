"""The secrets of credentials, in the form in which the secret store stores them."""
