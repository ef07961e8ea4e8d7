"""Events as such: envelope, registry of (name, version), JSON codec, upcasting."""
