"""STIX 2 bundles read as indicators."""
