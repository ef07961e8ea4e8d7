"""Logins of an hour or a day, made from what is kept: Amazon, Google and Azure."""
