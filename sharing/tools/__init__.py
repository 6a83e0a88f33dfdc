"""Programs for maintainers and operators: generated files, and copying a topic."""
