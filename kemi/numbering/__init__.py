"""Numbers: how they arrive, what they are, how they are written."""
