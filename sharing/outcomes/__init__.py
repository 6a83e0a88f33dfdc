"""What became of an agency's items, as the worker of its State tells it: blocks of outcomes, written and read. Pure."""
