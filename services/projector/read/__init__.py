"""Queries of the read models, and the query API."""
