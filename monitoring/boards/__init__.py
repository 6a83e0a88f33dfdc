"""The dashboards, in one list."""

from __future__ import annotations

from monitoring.boards.kafka import KAFKA
from monitoring.boards.operator import OPERATOR
from monitoring.boards.supervisor import SUPERVISOR

BOARDS = (OPERATOR, SUPERVISOR, KAFKA)
