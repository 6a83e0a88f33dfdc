"""Faults of keys and seals: what a campaign with keys adds."""
