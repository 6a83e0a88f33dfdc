"""Exact searches over all items and recipients: the cube calculus, and what `law compare` and `law questions` ask."""
