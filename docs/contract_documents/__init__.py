"""Generates the published contracts from the code.

For consumers of events: golden schemas, `events.md` and `asyncapi.yaml`. For callers of the API:
`openapi.json`.
"""
