"""Tests of the law engine and of every shipped pack."""
