"""The source of time stamps of the State's own checkpoints, from the point of view of the loop that writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from sharing.audit.signed_note import SignedNote


class ArrivedStamp(NamedTuple):
    """A verified time stamp.

    Attributes:
        text: The text of the checkpoint.
        response: The answer of the service (TimeStampResp, in DER).
    """

    text: bytes
    response: bytes


class TimeStampSource(Protocol):
    """Gets time stamps asynchronously. Neither method waits for anything, and neither raises.

    Attributes:
        interval_ms: How long after a time stamp of a log was written the next one is due.
    """

    interval_ms: int

    def ask(self, wanted: Mapping[str, SignedNote]) -> None:
        """Take the checkpoints that must be stamped; they replace those of the last call.

        Args:
            wanted: The newest checkpoint of each log that has no time stamp, by origin.
        """

    def take(self, origin: str) -> ArrivedStamp | None:
        """Return the time stamp that has arrived for a log, once; None if none has.

        If it is taken and then not committed, it is requested again.
        """
