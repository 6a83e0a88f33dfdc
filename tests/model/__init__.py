"""Tests of `sharing.model`."""
