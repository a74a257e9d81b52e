"""The demo: a whole edge with simulated operators around it, real calls, and a verdict on each."""
