"""Rulings at the desk: prepared from forms, signed with a passkey, written, and followed until the worker has acted."""

from __future__ import annotations

from sharing.desk.rulings.routes import list_routes

__all__ = ["list_routes"]
