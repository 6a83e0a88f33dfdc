"""Text of others on pages: see `sharing.model.plain_text`."""

from __future__ import annotations

from sharing.model.plain_text import MARK, to_plain

__all__ = ["MARK", "to_plain"]
