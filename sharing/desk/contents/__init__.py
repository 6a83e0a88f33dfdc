"""Opens what items say, for those who may see it, and records each view before it is shown."""
