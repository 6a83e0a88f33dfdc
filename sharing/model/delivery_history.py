"""What a subscriber remembers of the notices that it handed out: their contents by id, and the last version by item."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import TYPE_CHECKING

from sharing.model.recent_map import RecentMap

if TYPE_CHECKING:
    from sharing.model.notice import Notice


class Repetition(StrEnum):
    """How a notice relates to those that were handed out before it.

    Attributes:
        NONE: It is new.
        SAME: One with its id and its content was handled.
        DIFFERENT: One with its id was handled, and had another content.
        OLDER: A later version of its item was handed out.
    """

    NONE = "NONE"
    SAME = "SAME"
    DIFFERENT = "DIFFERENT"
    OLDER = "OLDER"


class DeliveryHistory:
    """Recognises notices that are repeated, changed under the same id, or older than what was handed out.

    Args:
        entries_max: How many ids, and how many items, are remembered: those seen last.
    """

    def __init__(self, entries_max: int) -> None:
        self._handled: RecentMap[str, bytes] = RecentMap(entries_max)
        self._versions: RecentMap[tuple[str, str], int] = RecentMap(entries_max)

    def compare(self, notice: Notice) -> Repetition:
        """Return how a notice relates to the earlier ones."""
        digest = self._handled.get(notice.id)
        if digest is not None:
            return Repetition.SAME if digest == _digest_content(notice) else Repetition.DIFFERENT
        version = self._versions.get((notice.from_state, notice.item_id))
        return Repetition.OLDER if version is not None and notice.version < version else Repetition.NONE

    def hand_out(self, notice: Notice) -> None:
        """Remember that a notice is given to the program: no older version of its item follows."""
        self._versions.put((notice.from_state, notice.item_id), notice.version)

    def complete(self, notice: Notice) -> None:
        """Remember that the program has handled a notice: it is not delivered again."""
        self._handled.put(notice.id, _digest_content(notice))


def _digest_content(notice: Notice) -> bytes:
    """Return a digest of what a notice says and to what it binds.

    A gate that decides on the same item again writes another time and perhaps another pack version or reason. That
    changes neither.
    """
    parts = (notice.kind, notice.indicator_id, notice.version, notice.conditions, sorted(notice.content.items()))
    return hashlib.blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()
