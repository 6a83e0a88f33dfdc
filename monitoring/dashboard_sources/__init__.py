"""Sources of the dashboards. `python -m monitoring.generate` renders them to `monitoring/dashboards/*.json`."""

from __future__ import annotations

from monitoring.dashboard_sources.desk import DESK
from monitoring.dashboard_sources.kafka import KAFKA
from monitoring.dashboard_sources.operator import OPERATOR
from monitoring.dashboard_sources.supervisor import SUPERVISOR

DASHBOARDS = (OPERATOR, SUPERVISOR, DESK, KAFKA)
