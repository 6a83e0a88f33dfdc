"""The disclosure gate: decode, relevance, decide, write; pure functions of a batch."""
