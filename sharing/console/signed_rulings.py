"""A ruling that the audit log names: found in its topic, opened with the State's wrapping key, and verified.

The acts have the digest of what an officer has signed, and the key that opens it. The topic of rulings has the record
for a year. Both together show which words were signed, and by whom.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from pydantic import SecretBytes

from sharing.console.connection import ConsoleConnection
from sharing.console.printable import to_printable
from sharing.console.transfers import read_log
from sharing.errors import InputError, SettingsError
from sharing.kafka.conversation_reader import name_console_group
from sharing.kafka.topic_range import TopicRange
from sharing.keystore.configured_keys import open_configured_keys
from sharing.rulings.act import Act
from sharing.rulings.signing import read_digest
from sharing.rulings.vocabulary import RulingError
from sharing.seal.faults import SealError
from sharing.seal.rulings import KeptRulingKey, is_sealed_ruling, open_ruling_with_key, unwrap_ruling_key
from sharing.topology.topics import ACTS, RULINGS

DIGITS_MIN: Final = 8
_SHOWN_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class SignedRuling:
    """A ruling on which the worker has acted. Its `repr` shows no content.

    Attributes:
        digest: What identifies it in the acts, in hexadecimal digits.
        acts: What the worker has done because of it.
        record: What the officer has signed, in single-object encoding.
        partition: The partition on which this copy was written.
        at: The broker's time of the record, in UTC milliseconds.
    """

    digest: str
    acts: tuple[Act, ...]
    record: bytes
    partition: int
    at: int

    def __repr__(self) -> str:
        return f"SignedRuling({self.digest[:16]}…, {len(self.acts)} acts)"


def find_signed_ruling(console: ConsoleConnection, name: str, now: int) -> SignedRuling:
    """Return the ruling that the audit log names by a digest.

    Args:
        console: The connection.
        name: The digest, or the first eight or more digits of it.
        now: The time, in UTC milliseconds.

    Raises:
        InputError: No act names such a ruling, or several do; or its record is not in the topic any more.
        SettingsError: It is sealed, and the State's wrapping keys are not here.
        SealError: The wrapping key of the ruling is not in the key folder.
        DecodeError: The log cannot be read.
        InfrastructureError: No broker answers, or a topic cannot be read.
    """
    acts = _find_acts(console, name)
    digest = acts[0].ruling or ""
    keys = _unwrap_keys(console, {act.ruling_key for act in acts if act.ruling_key is not None}, now)
    topic = RULINGS.topic(console.state)
    opened = TopicRange(
        console.servers, topic, name_console_group(console.state, "audit"), properties=console.properties
    )
    with closing(opened):
        for batch in opened.read_batches():
            for message in batch:
                for record in _open(console, message, keys):
                    if _is_of(record, digest, console.state):
                        return SignedRuling(
                            digest, tuple(acts), record, message.partition() or 0, message.timestamp()[1]
                        )
    raise InputError(
        f"the ruling {digest[:16]} is not in {topic} any more, which keeps rulings for a year: the audit log has its "
        "digest, its officer and what was done; the words are gone"
    )


def _find_acts(console: ConsoleConnection, name: str) -> list[Act]:
    """Return the acts of the one ruling whose digest begins so.

    Raises:
        InputError: There is none, or there are several.
    """
    wanted = name.lower()
    found: dict[str, list[Act]] = {}
    if len(wanted) >= DIGITS_MIN:
        for fields in read_log(console, ACTS, None, None):
            digest = fields["ruling"]
            if digest is not None and digest.startswith(wanted):
                found.setdefault(digest, []).append(Act.from_record(fields))
    if not found:
        raise InputError(
            f"no act of {console.state} names a ruling that begins with {to_printable(name)[:_SHOWN_MAX]!r}; give "
            f"{DIGITS_MIN} digits or more of the digest that `sharing items show` and `sharing asks show` print"
        )
    if len(found) > 1:
        raise InputError(f"{len(found)} rulings begin with {wanted}; give more digits")
    return next(iter(found.values()))


def _unwrap_keys(console: ConsoleConnection, kept: set[KeptRulingKey], now: int) -> list[SecretBytes]:
    if not kept:
        return []
    keys = open_configured_keys(console.settings, console.state)
    if keys is None:
        raise SettingsError(
            "SHARING_KEY_FOLDER is not set: a ruling is opened on the State's own machine, with its wrapping keys"
        )
    return [unwrap_ruling_key(each, console.state, lambda key_id: keys.find_wrapping_key(key_id, now)) for each in kept]


def _open(console: ConsoleConnection, message: Any, keys: list[SecretBytes]) -> Iterator[bytes]:
    """Yield what a record of the topic is in clear, if one of these keys is its own."""
    value = console.framing.to_single_object(message.value()) or b""
    if not is_sealed_ruling(value):
        yield value
        return
    for key in keys:
        try:
            yield open_ruling_with_key(value, console.state, key)
        except SealError:
            continue  # another ruling


def _is_of(record: bytes, digest: str, state: str) -> bool:
    try:
        return read_digest(record, state) == digest
    except RulingError:
        return False  # the worker has quarantined it
