"""The domain model: indicators, decisions, notices, the directory, and their vocabulary."""
