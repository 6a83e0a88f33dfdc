"""What the two exactly-once loops run for each batch, and where they get the keys and the law for it."""
