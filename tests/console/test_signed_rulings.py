"""A ruling that the audit log names, among the copies of it that its topic has: found, opened and verified."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import SecretBytes

from sharing.console import signed_rulings
from sharing.console.connection import ConsoleConnection
from sharing.console.signed_rulings import (
    RulingCopy,
    SignatureCheck,
    SignedRuling,
    check_signature,
    find_signed_ruling,
)
from sharing.errors import InfrastructureError, InputError
from sharing.model.times import DAY_MS, HOUR_MS
from sharing.officers.changes import change_officer, revoke_officer
from sharing.officers.register import Register
from sharing.rulings.act import Act, ActKind
from sharing.rulings.signing import read_digest, sign_ruling
from sharing.seal.faults import SealError
from sharing.seal.rulings import KeptRulingKey, open_ruling, wrap_ruling_key
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from sharing.settings import Settings
from sharing.topology.topics import RULINGS
from tests.officers.register_fixtures import KEYS, REGISTRARS, grant, make_fields, sign
from tests.processors.sealing.ruling_fixtures import WORKER_KEY, seal_record
from tests.rulings.ruling_fixtures import STATE, make_ruling
from tests.trust.trust_fixtures import NOW, make_public, make_signer

WRAPPING_KEYS = {letter * 64: SecretBytes(letter.encode() * 32) for letter in "ab"}
OLD, NEW = WRAPPING_KEYS
RECORD = sign_ruling(make_ruling(officer="o1"), make_signer("officer o1"))
DIGEST = read_digest(RECORD, STATE)
CONSOLE = ConsoleConnection(Settings(), STATE, "", {}, SINGLE_OBJECT_FRAMING)


@dataclass(frozen=True)
class Message:
    """A record of the topic of rulings."""

    data: bytes
    number: int = 0
    at_ms: int = NOW

    def value(self) -> bytes:
        return self.data

    def partition(self) -> int:
        return self.number

    def timestamp(self) -> tuple[int, int]:
        return 2, self.at_ms


@dataclass
class Topics:
    """What the topics of acts and of rulings have, and which wrapping keys are in the key folder."""

    messages: list[Message] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    wrapping_keys: Mapping[str, SecretBytes] = field(default_factory=lambda: WRAPPING_KEYS)
    bad_batches: list[object] = field(default_factory=list)

    def write(self, seed: int = 1, wrapping_key: str = OLD, **place: int) -> None:
        """Write a copy of the ruling, sealed under a key of its own, and the act that it causes."""
        data = seal_record(RECORD, STATE, NOW, seed)
        self.messages.append(Message(data, **place))
        opened = open_ruling(data, STATE, {WORKER_KEY.public_key.key_id: WORKER_KEY})
        kept = wrap_ruling_key(opened.key, wrapping_key, WRAPPING_KEYS[wrapping_key])
        self.acts.append(make_act(kept))

    def find_wrapping_key(self, key_id: str, now: int) -> SecretBytes | None:
        del now
        return self.wrapping_keys.get(key_id)

    def read_batches(self) -> Iterator[list[Message]]:
        yield self.messages

    def close(self) -> None:
        pass


@pytest.fixture
def topics(monkeypatch: pytest.MonkeyPatch) -> Topics:
    made = Topics()
    monkeypatch.setattr(signed_rulings, "read_log", lambda *_: [act.to_record() for act in made.acts])
    monkeypatch.setattr(signed_rulings, "TopicRange", lambda *_, **__: made)
    monkeypatch.setattr(signed_rulings, "open_configured_keys", lambda *_: made)
    return made


def make_act(kept: KeptRulingKey) -> Act:
    return Act(ActKind.ASK_ENDED, "item", STATE, STATE, NOW, officer="o1", ruling=DIGEST, ruling_key=kept)


def make_register() -> Register:
    register = Register(KEYS)
    assert register.receive("o1", grant(register).encode(), NOW) is None
    return register


def find(now: int = NOW) -> SignedRuling:
    register = make_register()
    return find_signed_ruling(CONSOLE, DIGEST, now, lambda copy: check_signature(copy, register, now), [])


def test_a_copy_that_somebody_wrote_elsewhere_or_later_does_not_hide_the_one_that_verifies(topics: Topics) -> None:
    topics.write(number=1)
    topics.write(at_ms=NOW + DAY_MS)
    found = find()
    assert found.signature.fault is not None
    topics.write(at_ms=NOW + 5)
    found = find()
    assert (found.copy, found.signature) == (RulingCopy(RECORD, 0, NOW + 5), SignatureCheck(None))


@pytest.mark.parametrize("is_first", [True, False])
def test_one_copy_that_opens_is_enough(topics: Topics, is_first: bool) -> None:
    for seed, wrapping_key in ((1, OLD), (2, NEW)) if is_first else ((2, NEW), (1, OLD)):
        topics.write(seed, wrapping_key)
    topics.wrapping_keys = {NEW: WRAPPING_KEYS[NEW]}
    assert find().signature == SignatureCheck(None)
    topics.wrapping_keys = {}
    with pytest.raises(SealError, match="restore it from the backup"):
        find()


def test_what_cannot_be_read_is_not_said_to_be_gone(topics: Topics) -> None:
    topics.write()
    topics.messages.clear()
    topics.bad_batches = [object()]
    with pytest.raises(InfrastructureError, match="cannot be read"):
        find()
    topics.bad_batches = []
    with pytest.raises(InputError, match="the text is gone"):
        find()


def test_after_a_year_a_wrapping_key_that_was_destroyed_is_not_asked_for(topics: Topics) -> None:
    topics.write()
    topics.messages.clear()
    topics.wrapping_keys = {}
    with pytest.raises(SealError, match="restore it from the backup"):
        find(NOW + RULINGS.retention_ms - 1)
    with pytest.raises(InputError, match="the text is gone"):
        find(NOW + RULINGS.retention_ms)


def test_after_a_renewal_a_ruling_verifies_with_the_newest_entry_of_a_compacted_register() -> None:
    """The topic keeps the last record of each officer, and entries are renewed within 90 days."""
    full = make_register()
    renewed = grant(full, now=NOW + 30 * DAY_MS)
    assert full.receive("o1", renewed.encode(), NOW + 30 * DAY_MS) is None
    later, copy = NOW + 31 * DAY_MS, RulingCopy(RECORD, 0, NOW)
    assert check_signature(copy, full, later) == SignatureCheck(None)

    def compact(value: bytes) -> Register:
        register = Register(KEYS)
        assert register.receive("o1", value, NOW + 30 * DAY_MS) is None
        return register

    assert check_signature(copy, compact(renewed.encode()), later) == SignatureCheck(None, NOW + 30 * DAY_MS)
    # A partition on which it does not belong, another key, and a revocation for that time are found as before.
    elsewhere = check_signature(replace_copy(copy, partition=1), compact(renewed.encode()), later)
    assert "somebody copied it" in str(elsewhere.fault)
    other = make_fields("o1", keys=(make_public("officer o2"),))
    change = change_officer(STATE, "o1", full.find_newest("o1", later), other, days=90, now=NOW + 30 * DAY_MS)
    replaced = check_signature(copy, compact(sign(change, *REGISTRARS[:2]).encode()), later)
    assert "any more" in str(replaced.fault)
    newest = make_register().find_newest("o1", NOW)
    assert newest is not None
    for effective_at, is_verified in ((NOW - HOUR_MS, False), (NOW + HOUR_MS, True)):
        revoked = revoke_officer(newest, effective_at=effective_at, now=NOW + 30 * DAY_MS)
        checked = check_signature(copy, compact(sign(revoked, REGISTRARS[0]).encode()), later)
        assert (checked.fault is None) is is_verified, checked


def replace_copy(copy: RulingCopy, **changes: Any) -> RulingCopy:
    return copy._replace(**changes)
