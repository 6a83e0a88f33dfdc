"""What the two exactly-once loops run for each batch, and where they get keys and law for it."""
