"""Replay: reads recorded indicators from files and topics, and decides on them again."""
