"""Fields of files of other systems that are read in the same way wherever they are: texts and times."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sharing.errors import InputError

_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def read_text(holder: Mapping[str, Any], name: str) -> str:
    """Return a text without the white space around it; "" if there is none.

    Raises:
        InputError: It is not text.
    """
    text = holder.get(name)
    if text is not None and not isinstance(text, str):
        raise InputError(f"{name}: must be text")
    return (text or "").strip()


def read_time(holder: Mapping[str, Any], name: str) -> str:
    """Return a time as it is written; "" if there is none.

    Raises:
        InputError: It is not in the form of RFC 3339 with a time zone.
    """
    time = holder.get(name)
    if not time:
        return ""
    if not isinstance(time, str) or _RFC_3339.fullmatch(time) is None:
        raise InputError(f"{name}: must be an RFC 3339 time with a time zone, such as 2026-03-01T12:00:00Z")
    return time
