"""Many records at once: decoded into Arrow, split into columns, alike ones gathered."""
