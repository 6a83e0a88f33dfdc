"""Drafts of what follows a received notice, and the preservations that must not be forgotten."""

from __future__ import annotations

from sharing.desk.followups.pages import list_routes

__all__ = ["list_routes"]
