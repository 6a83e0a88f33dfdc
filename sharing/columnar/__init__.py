"""Columnar processing: decodes many records into Arrow columns at once and groups equal items."""
