"""When the verifier logs in (ADR 13).

The modules have rate limits, holds after refusals, and scheduled verifications of stored credentials.
"""
