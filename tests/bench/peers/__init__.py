"""The gate's job in other engines: same input, law and outputs, each engine used as its own users would."""
