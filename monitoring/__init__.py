"""Monitoring as code: `python -m monitoring.generate` renders the alert rules and dashboards defined in this package.

Sources are the Python modules here (`alerts/`, `dashboard_sources/`) and `alertmanager.yaml`. Generated files are
`alerts.yaml` and `dashboards/*.json`: do not edit them.
"""
