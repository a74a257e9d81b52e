"""Events of calls, from the spool into call records."""
