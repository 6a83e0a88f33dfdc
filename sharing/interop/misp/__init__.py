"""MISP events read as indicators."""
