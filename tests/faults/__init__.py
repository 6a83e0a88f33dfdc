"""Processes and brokers that die, records that are bad."""
