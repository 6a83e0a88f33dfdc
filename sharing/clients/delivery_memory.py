"""Records on disk what a subscriber has delivered: after a kill, only what was in the handler is delivered again.

Offsets are committed a moment after the handler returns. A process that is killed in that moment receives again what it
has handled. So each notice is also written to a file, after its handler returned and before its offset is committed.
When the file is reopened, the subscriber knows what it need not deliver again, and the last version of each item.

The file has ids, versions and digests, and no content. Its first line names the State and the group; each following
line is the CRC-32 of an entry and the entry, a JSON list. A line that was written in part, by a kill or on a full disk,
is cut off. What was handed to the operating system survives the kill of a process, but not always a power failure: then
what is not on the disk may come again. When the file has twice as many entries as are remembered, it is written again.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sharing.errors import InfrastructureError, InputError
from sharing.model.delivery_history import UNKNOWN_DIGEST, DeliveryHistory
from sharing.serialization.codec import get_codec

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

_FORMAT: Final = "sharing.handed_out.v1"
_HEADER_BYTES_MAX: Final = 4_096
_MODE: Final = 0o600
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class Handled(NamedTuple):
    """A notice or offer that was handled.

    Attributes:
        id: Its id.
        digest: Digest of what it says and to what it binds.
        from_state: The State that sent it.
        item_id: Id of its item; "" for an offer, which is not a version of an item.
        version: Version of the item.
        amendment: Amendment of the version.
    """

    id: str
    digest: bytes
    from_state: str
    item_id: str
    version: int
    amendment: int


class DeliveryMemory:
    """The file of one subscriber. One process uses it at a time.

    Args:
        path: The file; it is made if it does not exist.
        state: The State whose notices are received.
        group: The consumer group.
        entries_max: How many entries are remembered: the last ones.

    Raises:
        InputError: It is another file, that of another State or group, or in use; or it cannot be opened.
    """

    def __init__(self, path: Path, state: str, group: str, entries_max: int) -> None:
        self._path = path
        self._entries_max = entries_max
        self._header = {"format": _FORMAT, "state": state, "group": group, "schema": _name_schema()}
        try:
            self._file = _open_locked(path)
        except BlockingIOError:
            raise InputError(
                f"{path} is in use: another subscriber remembers in it; stop that one, or name another file"
            ) from None
        except OSError as error:
            raise _refuse_file(path, error) from None
        try:
            start = self._read_header()
            entries = deque(self._read_entries(start), entries_max)
        except OSError as error:
            os.close(self._file)
            raise _refuse_file(path, error) from None
        except BaseException:
            os.close(self._file)
            raise
        self._handled: Iterable[Handled] = entries

    def restore(self, history: DeliveryHistory) -> None:
        """Tell a history what is in the file. The second time there is nothing to tell."""
        for each in self._handled:
            history.complete(each.id, each.digest)
            if each.item_id:
                history.restore_revision(each.from_state, each.item_id, (each.version, each.amendment))
        self._handled = ()

    def add(self, handled: Iterable[Handled]) -> None:
        """Remember what was handled.

        Raises:
            InfrastructureError: It cannot be written. Nothing of it is remembered, so that it comes again.
        """
        lines = [_encode(each) for each in handled]
        size = os.fstat(self._file).st_size
        try:
            _write_all(self._file, b"".join(lines))
        except OSError as error:
            os.ftruncate(self._file, size)
            raise InfrastructureError(
                f"{self._path}: what was handled cannot be remembered ({error.strerror}); free some space or name "
                "another file, and run again: the last notices will be delivered again"
            ) from None
        self._count += len(lines)
        if self._count >= 2 * self._entries_max:
            self._shorten()

    def close(self) -> None:
        """Write everything to the disk, and let another process use the file."""
        if self._file < 0:
            return
        file, self._file = self._file, -1
        try:
            os.fsync(file)
        except OSError as error:
            log.warning("%s: %s", self._path, error.strerror)
        finally:
            os.close(file)

    def _read_header(self) -> int:
        """Return where the entries begin. A new file gets its header.

        Raises:
            InputError: It is another file, or that of another State or group.
        """
        own = json.dumps(self._header).encode() + b"\n"
        line, end, _ = os.pread(self._file, _HEADER_BYTES_MAX, 0).partition(b"\n")
        if not end and own.startswith(line):  # new, or killed while its first line was written
            os.ftruncate(self._file, 0)
            _write_all(self._file, own)
            line = own[:-1]
        named = _parse_json(line)
        if not isinstance(named, dict) or named.get("format") != _FORMAT:
            raise InputError(f"{self._path} is not a file in which a subscriber remembers notices; name another one")
        for name in ("state", "group"):
            if named.get(name) != self._header[name]:
                raise InputError(
                    f"{self._path} remembers notices of the {name} {named.get(name)}, not of {self._header[name]}; "
                    "name another file"
                )
        self._has_other_digests = named.get("schema") != self._header["schema"]
        return len(line) + 1

    def _read_entries(self, start: int) -> Iterator[Handled]:
        """Yield the entries, count them, and cut off what was written in part."""
        self._count, good = 0, start
        with open(os.dup(self._file), "rb") as lines:  # noqa: PTH123 a descriptor
            lines.seek(start)
            for line in lines:
                entry = self._decode(line)
                if entry is None:
                    break
                self._count += 1
                good += len(line)
                yield entry
        surplus = os.fstat(self._file).st_size - good
        if surplus:
            log.warning("%s: the last %s bytes were not written completely, and are cut off", self._path, surplus)
            os.ftruncate(self._file, good)

    def _decode(self, line: bytes) -> Handled | None:
        """Return the entry in a line, or None if it is not complete."""
        checksum, _, body = line.partition(b" ")
        if not line.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(body):
            return None
        notice_id, digest, *item = json.loads(body)
        return Handled(notice_id, UNKNOWN_DIGEST if self._has_other_digests else bytes.fromhex(digest), *item)

    def _shorten(self) -> None:
        """Write the last entries to a new file, and put it in place of the old one. If that fails, it stays."""
        new_path = self._path.with_name(f"{self._path.name}.new")
        new = -1
        try:
            start = len(os.pread(self._file, _HEADER_BYTES_MAX, 0).partition(b"\n")[0]) + 1
            kept = deque(self._read_entries(start), self._entries_max)
            new_path.unlink(missing_ok=True)
            new = os.open(new_path, _FLAGS | os.O_EXCL, _MODE)
            fcntl.flock(new, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write_all(new, json.dumps(self._header).encode() + b"\n" + b"".join(map(_encode, kept)))
            os.fsync(new)
            new_path.replace(self._path)
        except OSError as error:
            log.warning("%s cannot be shortened: %s", self._path, error.strerror)
            if new >= 0:
                os.close(new)
            self._count = 0  # tried again later
            return
        old, self._file = self._file, new
        os.close(old)
        self._count, self._has_other_digests = len(kept), False


def _encode(each: Handled) -> bytes:
    body = json.dumps((each.id, each.digest.hex(), *each[2:])).encode() + b"\n"
    return b"%08x %b" % (zlib.crc32(body), body)


def _name_schema() -> str:
    """Return what digests depend on: after an update with another schema, they say nothing about earlier notices."""
    return get_codec("notice_content").header.hex()


def _open_locked(path: Path) -> int:
    """Return the file, which only this process uses now.

    Raises:
        BlockingIOError: Another process uses it.
        OSError: It cannot be opened.
    """
    while True:
        file = os.open(path, _FLAGS, _MODE)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            opened = os.fstat(file)
            if path.stat().st_ino == opened.st_ino:
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)  # it was shortened between the two calls: another file has its name now


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def _parse_json(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _refuse_file(path: Path, error: OSError) -> InputError:
    return InputError(f"{path} cannot be used to remember notices ({error.strerror}); name another file")
