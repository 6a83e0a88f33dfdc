"""Tests of the files of keys."""
