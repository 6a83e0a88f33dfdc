"""Tests of roots, key statements and signatures."""
