"""What the duty desk keeps for its officers, in `national.<st>.desk`: compacted, and sealed for the State itself."""
