"""Seals and signs the outputs of a gate."""
