"""The Schema Registry: a real one, and readers that share no code with this project."""
