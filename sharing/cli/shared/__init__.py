"""Options and helpers that several commands use. Commands do not import each other."""
