"""Service tokens: made, stored as keyed hashes, recognised."""
