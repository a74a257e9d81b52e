"""The media servers: configuration and recordings."""
