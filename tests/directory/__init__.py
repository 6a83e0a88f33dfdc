"""Tests of signed directory statements and of what a reader verifies of a State."""
