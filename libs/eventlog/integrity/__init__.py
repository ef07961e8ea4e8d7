"""Proof that the log is whole: its chain recomputed, its end signed, its contents taken elsewhere (ADR 8)."""
