"""What the bus is about: indicators, decisions, notices, the directory, and the vocabulary they are told in."""
