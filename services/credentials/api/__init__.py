"""The command API: HTTP to commands, answers and problems back."""
