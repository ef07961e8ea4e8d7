"""`regcred deadletters`: events and messages that could not be handled."""
