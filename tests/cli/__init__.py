"""Tests of the command line, as a person and as a program uses it."""
