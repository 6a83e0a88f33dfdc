"""A ruling that the audit log names: found in its topic, opened with the State's wrapping key, and verified.

The acts have the digest of what an officer has signed, and the key that opens it. The topic of rulings has the record
for a year. Both together show which words were signed, and by whom.

The topic may have several copies of it: one for each partition, those of a desk that has sent it again, each under a
key of its own, and those that somebody has written later or elsewhere. One that verifies is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pydantic import SecretBytes

from sharing.console.connection import ConsoleConnection
from sharing.console.printable import to_printable
from sharing.console.transfers import read_log
from sharing.errors import InfrastructureError, InputError, SettingsError
from sharing.kafka.conversation_reader import name_console_group
from sharing.kafka.topic_range import TopicRange
from sharing.kafka.unreadable_records import Unreadable
from sharing.keystore.configured_keys import open_configured_keys
from sharing.officers.register import Register
from sharing.rulings.act import Act
from sharing.rulings.signing import FindOfficer, read_digest, read_ruling, verify_ruling
from sharing.rulings.vocabulary import RulingError, RulingFault
from sharing.seal.faults import SealError
from sharing.seal.rulings import KeptRulingKey, is_sealed_ruling, open_ruling_with_key, unwrap_ruling_key
from sharing.topology.topics import ACTS, RULINGS

DIGITS_MIN: Final = 8
_SHOWN_MAX: Final = 64


class RulingCopy(NamedTuple):
    """A copy of a ruling, in clear.

    Attributes:
        record: What the officer has signed, in single-object encoding.
        partition: The partition on which this copy was written.
        at: The broker's time of the record, in UTC milliseconds.
    """

    record: bytes
    partition: int
    at: int


class SignatureCheck(NamedTuple):
    """What the signature of a ruling proves.

    Attributes:
        fault: Why it is not verified; None if it is.
        entry_from: From when the officer's entry is with which it was verified, in UTC milliseconds, if that is later
            than the ruling; None if it is the entry of that time.
    """

    fault: str | None
    entry_from: int | None = None


CheckSignature = Callable[[RulingCopy], SignatureCheck]
"""Verifies a copy with the register of officers."""


@dataclass(frozen=True, slots=True)
class SignedRuling:
    """A ruling on which the worker has acted. Its `repr` shows no content.

    Attributes:
        digest: What identifies it in the acts, in hexadecimal digits.
        acts: What the worker has done because of it.
        copy: The copy of it that was found: one that verifies, if there is one.
        signature: What its signature proves.
    """

    digest: str
    acts: tuple[Act, ...]
    copy: RulingCopy
    signature: SignatureCheck

    def __repr__(self) -> str:
        return f"SignedRuling({self.digest[:16]}…, {len(self.acts)} acts)"


def find_signed_ruling(
    console: ConsoleConnection, name: str, now: int, check: CheckSignature, unreadable: Unreadable
) -> SignedRuling:
    """Return the ruling that the audit log names by a digest.

    Args:
        console: The connection.
        name: The digest, or the first eight or more digits of it.
        now: The time, in UTC milliseconds.
        check: Verifies a copy.
        unreadable: Is given the acts that cannot be read: one may be because of the ruling.

    Raises:
        InputError: No act names such a ruling, or several do; or its record is not in the topic any more.
        SettingsError: It is sealed, and the State's wrapping keys are not here.
        SealError: No copy opens, and a wrapping key of the ruling is not in the key folder.
        InfrastructureError: No broker answers, or a topic, or a part of it in which the ruling may be, cannot be read.
    """
    acts = _find_acts(console, name, unreadable)
    digest = acts[0].ruling or ""
    keys, missing = _unwrap_keys(console, {act.ruling_key for act in acts if act.ruling_key is not None}, now)
    topic = RULINGS.topic(console.state)
    opened = TopicRange(
        console.servers, topic, name_console_group(console.state, "audit"), properties=console.properties
    )
    found: SignedRuling | None = None
    with closing(opened):
        for copy in _list_copies(console, opened, keys, digest):
            signature = check(copy)
            if signature.fault is None:
                return SignedRuling(digest, tuple(acts), copy, signature)
            found = found or SignedRuling(digest, tuple(acts), copy, signature)
    if found is not None:
        return found
    if missing is not None and now < min(act.at for act in acts) + RULINGS.retention_ms:
        raise missing  # later the record is gone, and the wrapping key was destroyed on purpose
    if opened.bad_batches:
        raise InfrastructureError(
            f"the ruling {digest[:16]} was not found, and {len(opened.bad_batches)} batches of {topic} cannot be read; "
            "it may be in one of them"
        )
    raise InputError(
        f"the ruling {digest[:16]} is not in {topic} any more, which keeps rulings for a year: the audit log has its "
        "digest, its officer and what was done; the text is gone"
    )


def check_signature(copy: RulingCopy, register: Register, now: int) -> SignatureCheck:
    """Return what the signature of a ruling proves.

    The topic of the register keeps the newest entry of each officer alone. So where it does not have the entry that
    was in force when the ruling was written, the keys in the newest one count, unless that revokes the officer for
    that time.

    Args:
        copy: A copy of the ruling.
        register: The register of officers, as it is now.
        now: The time, in UTC milliseconds.
    """
    fault = _find_fault(copy, register.state, register.find_officer)
    if fault is None or fault.fault is not RulingFault.UNKNOWN_OFFICER:
        return SignatureCheck(None if fault is None else str(fault))
    officer = read_ruling(copy.record).officer
    newest = register.find_newest(officer, now)
    entry = None if newest is None else newest.entry
    if entry is None or copy.at >= entry.valid_from or entry.is_revoked(copy.at):
        return SignatureCheck(str(fault))
    later = _find_fault(copy, register.state, lambda _, __: entry)
    if later is not None:
        return SignatureCheck(f"{later}; the register does not have the officer's entry of that time any more")
    return SignatureCheck(None, entry.valid_from)


def _find_fault(copy: RulingCopy, state: str, find_officer: FindOfficer) -> RulingError | None:
    try:
        verify_ruling(copy.record, find_officer, state=state, partition=copy.partition, at_ms=copy.at)
    except RulingError as error:
        return error
    return None


def _find_acts(console: ConsoleConnection, name: str, unreadable: Unreadable) -> list[Act]:
    """Return the acts of the one ruling whose digest begins so.

    Raises:
        InputError: There is none, or there are several.
    """
    wanted = name.lower()
    found: dict[str, list[Act]] = {}
    if len(wanted) >= DIGITS_MIN:
        for fields in read_log(console, ACTS, None, None, unreadable):
            digest = fields["ruling"]
            if digest is not None and digest.startswith(wanted):
                found.setdefault(digest, []).append(Act.from_record(fields))
    if not found:
        raise InputError(
            f"no act of {console.state} names a ruling that begins with {to_printable(name)[:_SHOWN_MAX]!r}; give "
            f"{DIGITS_MIN} digits or more of the digest that `sharing items show` and `sharing audit subject` print"
        )
    if len(found) > 1:
        raise InputError(f"{len(found)} rulings begin with {wanted}; give more digits")
    return next(iter(found.values()))


def _unwrap_keys(
    console: ConsoleConnection, kept: set[KeptRulingKey], now: int
) -> tuple[list[SecretBytes], SealError | None]:
    """Return the keys of the copies that can be unwrapped, and why one cannot be."""
    if not kept:
        return [], None
    keys = open_configured_keys(console.settings, console.state)
    if keys is None:
        raise SettingsError(
            "SHARING_KEY_FOLDER is not set: a ruling is opened on the State's own machine, with its wrapping keys"
        )
    unwrapped: list[SecretBytes] = []
    missing: SealError | None = None
    for each in sorted(kept):
        try:
            unwrapped.append(unwrap_ruling_key(each, console.state, lambda key_id: keys.find_wrapping_key(key_id, now)))
        except SealError as error:
            missing = error  # another copy may open
    return unwrapped, missing


def _list_copies(
    console: ConsoleConnection, opened: TopicRange, keys: list[SecretBytes], digest: str
) -> Iterator[RulingCopy]:
    for batch in opened.read_batches():
        for message in batch:
            for record in _open(console, message, keys):
                if _is_of(record, digest, console.state):
                    yield RulingCopy(record, message.partition() or 0, message.timestamp()[1])


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
