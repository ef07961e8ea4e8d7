"""Contracts, made from the code: golden schemas, `events.md`, `asyncapi.yaml` for consumers; `openapi.json`
for callers.
"""
