"""`regcred deadletters`: events and messages that a consumer could not handle."""
