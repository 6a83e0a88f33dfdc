"""Tests of `sharing.serialization`, with a real Schema Registry and readers that share no code with this project."""
