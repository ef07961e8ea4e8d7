"""What both HTTP services need: problems, tokens at the door, conditional requests, schemas."""
