"""For trying things out: a local broker, the demo, sample data and the smoke test."""
