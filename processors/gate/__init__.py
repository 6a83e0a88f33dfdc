"""The disclosure gate: decode a batch, find the recipients, decide and write; pure functions of the batch."""
