"""The gate's job, done by others: the same input, the same law, the same outputs, each engine as its users run it."""
