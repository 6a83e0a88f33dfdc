"""What an operator does on a running bus, done: roll-outs, a restore, moves."""
