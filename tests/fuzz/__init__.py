"""Structured and raw bytes against every decoder and importer: no crash, no hang, no silent drop."""
