"""New items: an interview that asks only what can change who gets them, a picture of who would, and publishing."""

from __future__ import annotations

from sharing.desk.intake.routes import list_routes

__all__ = ["list_routes"]
