"""Where MISP puts tags, and their names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sharing.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TAG_KEY = re.compile(r"(?:event|object|attribute)?tags?")
"""Where tags are: in `Tag`, and, each in `{"Tag": {"name": …}}` as in MISP's own tables, in `EventTag`, `ObjectTag` and
`AttributeTag`. Other programs write `tags` or `event_tags`. What cannot be read there might contain a marking.
"""

_NO_LETTER = re.compile(r"[^a-z]")


def read_tag_names(holder: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the tags of an event, object or attribute.

    Raises:
        InputError: Its tags are not lists of tags. They might contain a marking, so nothing with them is published.
    """
    lists = (tags for key, tags in holder.items() if _TAG_KEY.fullmatch(_NO_LETTER.sub("", key.lower())))
    return tuple(name for tags in lists for name in _read_tag_list(tags))


def _read_tag_list(tags: Any) -> Iterator[str]:
    if tags is None:
        return
    for entry in tags if isinstance(tags, list) else [None]:
        tag = entry.get("Tag", entry) if isinstance(entry, dict) else None
        name = tag.get("name") if isinstance(tag, dict) else None
        if not isinstance(name, str):
            raise InputError("its tags cannot be read, and might contain a marking; Tag must be a list of {name: …}")
        yield name.strip()
