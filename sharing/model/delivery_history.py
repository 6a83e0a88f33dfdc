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
        OLDER: A later version of its item was handed out, or a later amendment of the version.
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
        self._revisions: RecentMap[tuple[str, str], tuple[int, int]] = RecentMap(entries_max)

    def compare(self, notice: Notice) -> Repetition:
        """Return how a notice relates to the earlier ones."""
        digest = self._handled.get(notice.id)
        if digest is not None:
            return Repetition.SAME if digest == _digest_content(notice) else Repetition.DIFFERENT
        last = self._revisions.get((notice.from_state, notice.item_id))
        return Repetition.OLDER if last is not None and _get_revision(notice) < last else Repetition.NONE

    def hand_out(self, notice: Notice) -> None:
        """Remember that a notice is given to the program: nothing older about its item follows."""
        self._revisions.put((notice.from_state, notice.item_id), _get_revision(notice))

    def complete(self, notice: Notice) -> None:
        """Remember that the program has handled a notice: it is not delivered again."""
        self._handled.put(notice.id, _digest_content(notice))


def _get_revision(notice: Notice) -> tuple[int, int]:
    return notice.version, notice.amendment


def _digest_content(notice: Notice) -> bytes:
    """Return a digest of what a notice says and to what it binds.

    A gate that decides on the same item again writes another time and perhaps another pack version or reason. That
    changes neither.
    """
    parts = (notice.kind, notice.indicator_id, notice.version, notice.conditions, sorted(notice.content.items()))
    return hashlib.blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()
