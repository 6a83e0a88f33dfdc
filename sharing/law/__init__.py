"""The disclosure law engine: packs as data, decisions as values."""
