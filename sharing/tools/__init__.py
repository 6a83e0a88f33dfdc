"""Scripts for maintainers and operators: they generate files, and copy topics."""
