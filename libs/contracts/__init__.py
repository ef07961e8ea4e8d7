"""The published language: events, verdicts and JSON forms that several services share."""
