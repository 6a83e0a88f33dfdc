"""Tests of `sharing.interop`."""
