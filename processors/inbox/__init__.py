"""Opens what other States send, and seals it again for the State's own readers."""
