"""Replication of call records to outside systems."""
