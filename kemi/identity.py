"""Who is calling, from which header, with what privacy (RFC 3261, 3323, 3325, 5502)."""
