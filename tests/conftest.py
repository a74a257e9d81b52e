"""Puts tests/ on the path (pytest does so for the directory of a conftest), for its helper modules."""
