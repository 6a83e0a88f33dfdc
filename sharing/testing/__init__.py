"""Tools for trying out and testing the bus: local brokers, the demo, sample data and the smoke test."""
