"""The key with which a partner State's own program opens its State's inbox, and the trust that it needs for that.

```python
with InboxReader.open("broker:9092", "DE", key_file, passphrase_file, trust_file) as reader:
    with Subscriber("broker:9092", "DE", reader=reader) as subscriber:
        …
```

An item of the inbox is trusted if the State's gate has sealed it. The State publishes the gate's keys in its directory
topic, signed by its root, and the root is pinned in a file.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from sharing.errors import DecodeError, InfrastructureError, InputError, SettingsError, SharingError
from sharing.model.countries import normalise_country
from sharing.model.vocabulary import MessageKind
from sharing.seal.faults import SealError
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from sharing.trust.faults import TrustError

if TYPE_CHECKING:
    from sharing.kafka.directory_reader import DirectoryReader
    from sharing.kafka.use_log import UseLog
    from sharing.seal.hpke import OpeningKey
    from sharing.serialization.framing import Framing
    from sharing.trust.key_statement import TrustedKeys
    from sharing.trust.root import Pin

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.5
_RETRY_SECONDS = 5.0
_CLOSE_SECONDS_MAX = 10.0


class InboxReader:
    """Opens the items of a State's inbox with the private key of one reader.

    A thread follows the State's topic of the directory, so that new and revoked keys take effect within seconds. If the
    topic cannot be read any more, the last known keys hold until they expire. Threads may share the object.

    Attributes:
        state: ISO 3166-1 alpha-2 code of the State.
        uses: Log in which a `Subscriber` records what it delivers; None for none.
    """

    def __init__(
        self, state: str, key: OpeningKey, directory: DirectoryReader, uses: UseLog | None = None
    ) -> None:  # fmt: skip
        """Start from a directory that was read to its end.

        Args:
            state: The State.
            key: The reader's private key.
            directory: Reads the directory, with the State's pinned root.
            uses: Log in which each delivery is recorded; None for none.
        """
        from sharing.seal.inbox_opening import InboxOpener  # noqa: PLC0415 needs an extra

        self.state = normalise_country(state)
        self.uses = uses
        self._opener = InboxOpener(self.state, key)
        self._directory = directory
        self._current_keys: TrustedKeys | None = None  # which were in force in the second when they were checked last
        self._checked_second = 0
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._follow, name=f"directory {self.state}", daemon=True)
        self._thread.start()

    @classmethod
    def open(  # noqa: PLR0913 all but the first five have defaults
        cls,
        bootstrap: str,
        state: str,
        key_file: Path,
        passphrase_file: Path,
        trust_file: Path,
        properties: Mapping[str, Any] | None = None,
        state_folder: Path | None = None,
        *,
        name: str = "",
        command: str = "Subscriber",
        purpose: str = "",
        framing: Framing = SINGLE_OBJECT_FRAMING,
        records_uses: bool = True,
    ) -> Self:
        """Return the reader whose key is in a file.

        Args:
            bootstrap: Kafka bootstrap servers.
            state: ISO 3166-1 alpha-2 code of the State.
            key_file: File of the reader's private key.
            passphrase_file: File with its passphrase, readable by its owner only.
            trust_file: File of pinned roots, with that of the State itself.
            properties: Further librdkafka properties, such as those of TLS.
            state_folder: Folder in which it remembers which keys of the State it has accepted, so that no older ones
                can be shown to it after a restart; None to forget them.
            name: Name under which opened items are recorded: letters, digits, '.', '_' and '-'. If empty, that of
                the key file.
            command: What opens the items, for that record.
            purpose: Why, for that record: a code such as `investigation`, no case number and no person's name.
            framing: How that record is framed.
            records_uses: Whether a `Subscriber` with this reader records what it delivers in `national.<st>.uses`
                (Directive (EU) 2016/680, article 25). False only for a program that keeps such a record itself.

        Raises:
            InfrastructureError: No broker answers, or the directory cannot be read.
            InputError: A file is unusable, the passphrase is wrong, or the key is not that of a reader of this State.
            SettingsError: The State's root is not pinned; the packages that this needs are not installed; or what is in
                the state folder cannot be used.
        """
        from sharing.kafka.use_log import UseContext, UseLog  # noqa: PLC0415 imported only where it is needed

        _require_packages()
        state = normalise_country(state)
        key = read_reader_key(key_file, passphrase_file, state)
        pin = _read_own_pin(trust_file, state)
        uses = None
        if records_uses:
            context = UseContext(name or _name_reader(key_file), key.public_key.key_id, command, purpose)
            uses = UseLog(bootstrap, state, context, properties, framing)
        directory = _read_own_directory(bootstrap, properties, state, pin, state_folder)
        return cls(state, key, directory, uses)

    def open_notice(self, value: bytes, arrived_at: int | None = None) -> bytes | None:
        """Return the notice in an item of the inbox, as an Avro record; None if the item is an offer.

        Args:
            value: The item, in Avro single-object encoding.
            arrived_at: When the item arrived in the inbox by the broker's clock, in UTC milliseconds: if a key of the
                gate was revoked only afterwards, the item is opened. None: it arrives now.

        Raises:
            DecodeError: It is refused: this reader was not in the list, the gate of this State did not seal it, or it
                was altered.
            InfrastructureError: The keys of the State's gate are not known, or have expired. No item can be verified,
                so none must be skipped.
        """
        kind, content = self.open_item(value, arrived_at)
        return content if kind is MessageKind.NOTICE else None

    def open_item(self, value: bytes, arrived_at: int | None = None) -> tuple[MessageKind, bytes]:
        """Return what an item of the inbox is, and the notice or offer in it, as an Avro record.

        Args:
            value: The item, in Avro single-object encoding.
            arrived_at: As in `open_notice`.

        Raises:
            DecodeError: As `open_notice`.
            InfrastructureError: As `open_notice`.
        """
        now = time.time_ns() // 1_000_000
        keys = self._require_keys(now)
        try:
            with self._lock:
                item = self._opener.open(value, keys, now, arrived_at=arrived_at)
        except SealError as error:
            raise DecodeError(str(error), cause=str(error.trust_fault or error.fault)) from None
        return item.envelope.kind, item.content

    def close(self) -> None:
        """Stop following the directory."""
        self._stopping.set()
        self._thread.join(_CLOSE_SECONDS_MAX)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"InboxReader({self.state})"

    def __reduce__(self) -> str:
        raise TypeError("a private key is never copied or stored by pickle")

    def _require_keys(self, now: int) -> TrustedKeys:
        keys = self._directory.trusted_keys.get(self.state)
        if keys is not None and keys is self._current_keys and now // 1000 == self._checked_second:
            return keys
        from sharing.trust.key_statement import require_current_statement  # noqa: PLC0415 needs an extra
        from sharing.trust.root import require_current_root  # noqa: PLC0415 needs an extra

        reason = self._directory.unreadable.get(self.state, "it has not stated them")
        if keys is not None:
            try:
                require_current_root(keys.root, now)
                require_current_statement(keys, now)
            except TrustError as error:
                reason = str(error)
            else:
                self._current_keys, self._checked_second = keys, now // 1000
                return keys
        raise InfrastructureError(
            f"the keys of the gate of {self.state} are not known ({reason}): nothing in its inbox can be verified; run "
            "again when `sharing directory show` has an entry of that State"
        )

    def _follow(self) -> None:
        try:
            while not self._stopping.is_set():
                try:
                    self._directory.poll_updates(_POLL_SECONDS)
                except SharingError as error:  # without this thread, nobody would hear of a revocation
                    log.error("the directory cannot be read, and the last keys hold until they expire: %s", error)  # noqa: TRY400 its text says all
                    self._stopping.wait(_RETRY_SECONDS)
        finally:
            self._directory.close()


def _require_packages() -> None:
    """Require the packages with which a sealed inbox is read, and which not every installation has.

    Raises:
        SettingsError: One is not installed.
    """
    try:
        import sharing.kafka.directory_reader  # noqa: PLC0415 needs an extra
        import sharing.keystore.pin_file  # noqa: F401, PLC0415 needs an extra
    except ImportError as error:
        raise SettingsError(
            f"a sealed inbox needs the package {error.name}, which is not installed: run pip install 'sharing-bus[cli]'"
        ) from None


def _read_own_pin(trust_file: Path, state: str) -> Pin:
    """Return the pinned root of the reader's own State.

    Raises:
        InputError: The file is unusable.
        SettingsError: The file does not exist, or does not pin the root.
    """
    from sharing.keystore.pin_file import read_pins, require_trust_file  # noqa: PLC0415 needs an extra

    require_trust_file(trust_file)
    pinned = read_pins(trust_file).get(state)
    if pinned is None:
        raise SettingsError(
            f"{trust_file} does not pin the root of {state}: a reader of an inbox must know the keys of its own "
            "gate; pin it with `sharing trust add`"
        )
    return pinned.to_pin()


def _read_own_directory(
    bootstrap: str, properties: Mapping[str, Any] | None, state: str, pin: Pin, state_folder: Path | None
) -> DirectoryReader:
    """Return a reader of one State's directory, which has read it to its end.

    Raises:
        InfrastructureError: No broker answers, or the directory cannot be read.
    """
    from sharing.kafka.directory_reader import DirectoryReader  # noqa: PLC0415 needs an extra

    directory = DirectoryReader(bootstrap, properties, pins={state: pin}, states=[state], memory=state_folder)
    try:
        directory.read_to_end()
    except BaseException:
        directory.close()
        raise
    return directory


def _name_reader(key_file: Path) -> str:
    """Return the name of a key file without its ending, without characters that no name of a reader has."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", key_file.stem).lstrip("._-")[:64] or "reader"


def read_reader_key(key_file: Path, passphrase_file: Path, state: str) -> OpeningKey:
    """Return the private key of a reader.

    Raises:
        InputError: A file is unusable, the passphrase is wrong, or the key is not that of a reader of this State.
    """
    from sharing.keystore.passphrases import read_passphrase_file  # noqa: PLC0415 needs an extra
    from sharing.keystore.private_key import READER_ROLE  # noqa: PLC0415 needs an extra
    from sharing.keystore.private_key_file import read_private_key  # noqa: PLC0415 needs an extra
    from sharing.seal.hpke import MemoryOpeningKey  # noqa: PLC0415 needs an extra

    key = read_private_key(key_file, read_passphrase_file(passphrase_file))
    if (key.header.role, key.header.state) != (READER_ROLE, state):
        raise InputError(f"{key_file} is a {key.header.role} key of {key.header.state}, not a reader key of {state}")
    return MemoryOpeningKey(key.public_key.algorithm, key.seed)
