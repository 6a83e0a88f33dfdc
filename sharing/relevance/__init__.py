"""Which States an item may help, and why."""
