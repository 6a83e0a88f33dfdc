"""What became of an agency's items, as its State's worker reports it: blocks of outcomes, written and read. Pure."""
