"""Recorded indicators, read from files and topics, and decided on again."""
