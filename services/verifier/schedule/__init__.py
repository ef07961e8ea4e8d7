"""When the verifier logs in: rate limits, holds after refusals, and scheduled verifications of stored
credentials (ADR 13).
"""
