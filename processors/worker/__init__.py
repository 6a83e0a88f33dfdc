"""Assembles a State's worker from its settings: its loops, and the services that run alongside them."""
