"""What supervisors see: what waits, what was decided and refused, whether the log is whole, who opened what."""

from __future__ import annotations

from sharing.desk.supervision.pages import list_routes

__all__ = ["list_routes"]
