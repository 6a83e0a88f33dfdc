"""Exact searches over all items and recipients under one or two laws: for `law compare` and `law questions`."""
