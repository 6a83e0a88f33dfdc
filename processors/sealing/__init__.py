"""Seals and signs the outputs of a worker's loops: the gate, and the conversation."""
