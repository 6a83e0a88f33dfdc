"""The list of open Asks, and the page of one."""

from __future__ import annotations

from sharing.desk.asks.routes import list_routes

__all__ = ["list_routes"]
