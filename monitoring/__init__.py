"""Monitoring as code: `python -m monitoring.generate` makes the rules and dashboards from the modules here."""
