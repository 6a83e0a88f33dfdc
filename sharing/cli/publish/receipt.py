"""The receipt of a bulk load: what became of each line, as JSON lines. A load that was killed continues with it.

Each line has `line`, `id`, `version`, `state` and `reason`, and `file`. In a line of state BEGUN, with which each run
begins, and ENDED, with which a run ends that has nothing open, the first three are null; BEGUN also names the load, its
publisher and the files by their SHA-256. Lines are appended, and are on the disk before the next batch is sent. A last
line that is cut is ignored: then the broker knows what it would have said (`sharing.clients.bulk_publisher`).
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from sharing.cli.shared.console import format_json
from sharing.errors import InfrastructureError, InputError
from sharing.interop.digest_table import TextSet
from sharing.kafka.topic_ids import NO_TOPIC_ID, is_other_topic
from sharing.keystore.files import PRIVATE_MODE, write_new_file
from sharing.model.times import format_time

if TYPE_CHECKING:
    from pathlib import Path

    from sharing.cli.publish.item_spool import SpooledItem

_FORMAT = 1
_PENDING_MAX = 10_000
"""How many lines that are refused are kept in memory until they are written."""


class LineState(StrEnum):
    """What a line of a receipt says."""

    BEGUN = "BEGUN"
    CONFIRMED = "CONFIRMED"
    REFUSED = "REFUSED"
    ENDED = "ENDED"


@dataclass(slots=True)
class ReceiptContent:
    """What a receipt says.

    Attributes:
        load: Id of the bulk load.
        begun_at: When the first run began.
        publisher: State and agency.
        cluster: Id of the cluster.
        topic_id: Id of the topic; `NO_TOPIC_ID` where it is not known.
        digests: SHA-256 of the files of the last run.
        recorded: Number of confirmed lines of this load.
        is_ended: Whether the last run has ended with nothing open.
        confirmed: Each confirmed item, as `id/version`.
        latest: The highest confirmed version of each item that has one above 1.
        refused: Each line that was refused, of the files of the last run, as `make_place` names it.
    """

    load: str = ""
    begun_at: str = ""
    publisher: tuple[str, str] = ("", "")
    cluster: str = ""
    topic_id: str = NO_TOPIC_ID
    digests: list[str] = field(default_factory=list)
    recorded: int = 0
    is_ended: bool = False
    confirmed: TextSet = field(default_factory=TextSet)
    latest: dict[str, int] = field(default_factory=dict)
    refused: TextSet = field(default_factory=TextSet)

    def take(self, line: Mapping[str, Any]) -> None:
        """Take one line.

        Raises:
            KeyError, TypeError, ValueError: It is no line of a receipt.
        """
        state = LineState(line["state"])
        self.is_ended = state is LineState.ENDED
        if state is LineState.BEGUN:
            self._begin(line)
        elif not self.load:
            raise ValueError
        elif state is LineState.CONFIRMED:
            identity, version = str(line["id"]), int(line["version"])
            if (key := f"{identity}/{version}") not in self.confirmed:  # a line may be there twice: two files joined
                self.recorded += 1
            self.confirmed.add(key)
            if version > max(1, self.latest.get(identity, 0)):
                self.latest[identity] = version
        elif state is LineState.REFUSED:
            self.refused.add(make_place(str(line["file"]), str(line["line"])))

    def _begin(self, line: Mapping[str, Any]) -> None:
        load, publisher = str(line["load"]), (str(line["publisher"]["state"]), str(line["publisher"]["agency"]))
        digests = [str(entry["sha256"]) for entry in line["input"]]
        cluster, topic_id = str(line["cluster"]), str(line.get("topic_id", NO_TOPIC_ID))
        if line["format"] != _FORMAT or not load:
            raise ValueError
        if self.load and (publisher, cluster) != (self.publisher, self.cluster):
            raise ValueError
        if is_other_topic(self.topic_id, topic_id):
            raise ValueError
        self.begun_at = self.begun_at or str(line["at"])
        if load != self.load:
            self.recorded = 0
        if digests != self.digests:
            self.refused = TextSet()
        self.load, self.publisher, self.digests = load, publisher, digests
        self.cluster, self.topic_id = cluster, topic_id or self.topic_id


def make_place(file: str, line: str) -> str:
    """Return the name of a line among those of all files."""
    return f"{line} {json.dumps(file)}"  # in ASCII: a file name may be no text


class Receipt:
    """An open receipt. Only one program at a time can have it open.

    Attributes:
        path: The file.
        content: What it says.
    """

    def __init__(self, path: Path, descriptor: int, content: ReceiptContent) -> None:
        self.path = path
        self.content = content
        self._descriptor = descriptor
        self._pending: list[str] = []

    @classmethod
    def create(cls, path: Path, begun: str) -> Self:
        """Return a new receipt, with its first line.

        Raises:
            InputError: The file exists.
            InfrastructureError: It cannot be written.
        """
        write_new_file(path, begun.encode(), PRIVATE_MODE)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Return a receipt that exists.

        Raises:
            InputError: There is none, it is in use, or it is no receipt.
            InfrastructureError: It cannot be read.
        """
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except OSError as error:
            raise InputError(f"{path}: cannot be opened ({error.strerror}); name the receipt of a load") from None
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise InputError(f"{path}: is not a file; name the receipt of a load")
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            content = _read_content(path, descriptor)
        except BlockingIOError:
            os.close(descriptor)
            raise InputError(
                f"{path}: another run is writing to it; wait until it ends, or end it, and then resume"
            ) from None
        except OSError as error:
            os.close(descriptor)
            raise InfrastructureError(f"{path}: cannot be read ({error.strerror})") from None
        except BaseException:
            os.close(descriptor)
            raise
        return cls(path, descriptor, content)

    def begin(self, begun: str) -> None:
        """Write down that a run begins."""
        self._add(json.loads(begun))
        self.write()

    def confirm(self, items: Iterable[SpooledItem]) -> None:
        """Write down that items are confirmed."""
        for spooled in items:
            self._add(_make_line(spooled, LineState.CONFIRMED, None))
        self.write()

    def refuse(self, spooled: SpooledItem, reason: str) -> None:
        """Note that an item is refused; it is written before the next items are sent."""
        self._add(_make_line(spooled, LineState.REFUSED, reason))

    def refuse_line(self, file: str, place: str, reason: str) -> None:
        """Note that a line is refused which is no item; it is written before the next items are sent."""
        self._add({
            "line": _to_line(place), "file": file, "id": None, "version": None, "state": LineState.REFUSED,
            "reason": reason,
        })  # fmt: skip
        if len(self._pending) >= _PENDING_MAX:
            self.write()

    def end(self) -> None:
        """Write down that a run has ended, and that nothing is open."""
        self._add({"line": None, "file": None, "id": None, "version": None, "state": LineState.ENDED, "reason": None})
        self.write()

    def write_refusals(self) -> None:
        """Write what was noted and not written yet, if there is something.

        Raises:
            InfrastructureError: It cannot be written.
        """
        if self._pending:
            self.write()

    def write(self) -> None:
        """Write what was noted, to the disk.

        Raises:
            InfrastructureError: It cannot be written.
        """
        data = "".join(self._pending).encode()
        size = os.fstat(self._descriptor).st_size
        try:
            written = 0
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
            os.fsync(self._descriptor)
        except OSError as error:
            os.ftruncate(self._descriptor, size)
            raise InfrastructureError(
                f"{self.path}: cannot be written ({error.strerror}); free some space, then continue with --resume"
            ) from None
        self._pending.clear()

    def close(self) -> None:
        """Close the file, and let others open it."""
        os.close(self._descriptor)

    def _add(self, line: dict[str, Any]) -> None:
        self.content.take(line)
        self._pending.append(format_json(line))


def make_begun_line(
    load: str, cluster: str, topic_id: str, publisher: tuple[str, str], files: Sequence[str], digests: Sequence[str],
    now_ms: int,
) -> str:  # fmt: skip
    """Return the line with which a run begins.

    Args:
        load: Id of the bulk load.
        cluster: Id of the cluster.
        topic_id: Id of the topic; `NO_TOPIC_ID` where it is not known.
        publisher: State and agency.
        files: Names of the files.
        digests: SHA-256 of each of them.
        now_ms: The time in UTC milliseconds.
    """
    line = {
        "line": None, "file": None, "id": None, "version": None, "state": LineState.BEGUN, "reason": None,
        "format": _FORMAT, "load": load, "at": format_time(now_ms), "cluster": cluster, "topic_id": topic_id,
        "publisher": {"state": publisher[0], "agency": publisher[1]},
        "input": [{"file": file, "sha256": digest} for file, digest in zip(files, digests, strict=True)],
    }  # fmt: skip
    return format_json(line)


def _make_line(spooled: SpooledItem, state: LineState, reason: str | None) -> dict[str, Any]:
    return {
        "line": _to_line(spooled.place), "file": spooled.file, "id": spooled.item.id, "version": spooled.item.version,
        "state": state, "reason": reason,
    }  # fmt: skip


def _to_line(place: str) -> int | str:
    return int(place) if place.isdecimal() else place


def _read_content(path: Path, descriptor: int) -> ReceiptContent:
    """Return what a receipt says, and remove a last line that is cut.

    Raises:
        InputError: It is no receipt.
    """
    content = ReceiptContent()
    whole = 0
    with os.fdopen(os.dup(descriptor), "rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                break
            try:
                content.take(json.loads(line))
            except (ValueError, KeyError, TypeError, RecursionError):
                raise InputError(
                    f"{path}: line {number} is not a line of a receipt; name what `sharing publish --receipt` wrote"
                ) from None
            whole += len(line)
    if not content.load:
        raise InputError(f"{path}: is not a receipt; name what `sharing publish --receipt` wrote")
    os.ftruncate(descriptor, whole)
    return content
