"""Tests of the bus: publishing, subscribing, the directory, the topics."""
