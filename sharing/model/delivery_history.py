"""What a subscriber remembers of the notices that it delivered: their digests by id, and the last version by item."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sharing.model.recent_map import RecentMap

if TYPE_CHECKING:
    from sharing.model.notice import Notice

UNKNOWN_DIGEST = b""
"""Digest of a notice that another version of this program has handled: it matches any content."""


class Repetition(StrEnum):
    """How a notice relates to those delivered before it.

    Attributes:
        NONE: It is new.
        SAME: One with its id and its content was handled.
        DIFFERENT: One with its id was handled, and had another content.
        OLDER: A later version of its item was delivered, or a later amendment of the version.
    """

    NONE = "NONE"
    SAME = "SAME"
    DIFFERENT = "DIFFERENT"
    OLDER = "OLDER"


class DeliveryHistory:
    """Recognises notices that are repeated, changed under the same id, or older than what was delivered.

    Args:
        entries_max: How many ids, and how many items, are remembered: those seen last.
    """

    def __init__(self, entries_max: int) -> None:
        self._handled: RecentMap[str, bytes] = RecentMap(entries_max)
        self._open: dict[str, bytes] = {}  # delivered, and not handled yet
        self._revisions: RecentMap[tuple[str, str], tuple[int, int]] = RecentMap(entries_max)

    def compare(self, notice: Notice, digest: bytes) -> Repetition:
        """Return how a notice relates to the earlier ones.

        Args:
            notice: The notice.
            digest: Digest of what it says and to what it binds.
        """
        known = self._handled.get(notice.id)
        if known is None and self._open:
            known = self._open.get(notice.id)
        if known is not None:
            return Repetition.SAME if known in {digest, UNKNOWN_DIGEST} else Repetition.DIFFERENT
        last = self._revisions.get((notice.from_state, notice.item_id))
        return Repetition.OLDER if last is not None and (notice.version, notice.amendment) < last else Repetition.NONE

    def note_delivered(self, notice: Notice, digest: bytes) -> None:
        """Remember that a notice is delivered to the program: nothing older about its item follows."""
        self._open[notice.id] = digest
        self.restore_revision(notice.from_state, notice.item_id, (notice.version, notice.amendment))

    def complete(self, notice_id: str, digest: bytes) -> None:
        """Remember that the program has handled a notice or offer: it is not delivered again."""
        self._open.pop(notice_id, None)
        self._handled.put(notice_id, digest)

    def is_handled(self, notice_id: str) -> bool:
        """Return whether the program has handled a notice or offer with this id."""
        return self._handled.get(notice_id) is not None

    def take_back(self) -> None:
        """Forget the delivered notices that the program has not handled: they are delivered again."""
        self._open.clear()

    def restore_revision(self, from_state: str, item_id: str, revision: tuple[int, int]) -> None:
        """Remember the last version and amendment of an item that was delivered."""
        self._revisions.put((from_state, item_id), revision)
