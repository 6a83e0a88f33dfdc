"""The register on brokers: two writers at a time, records that nobody signed, and a topic that cannot be read."""

from __future__ import annotations

from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError

from sharing.errors import InfrastructureError, InputError
from sharing.kafka import officer_topic
from sharing.kafka.officer_topic import read_register
from sharing.kafka.officer_writer import OfficerWriter
from sharing.officers.changes import OfficerFields, change_officer, revoke_officer
from sharing.officers.entry import KEYS_MAX, PASSKEYS_MAX, ROLES_MAX
from sharing.officers.record import RECORD_BYTES_MAX, OfficerRecord, decode_record
from sharing.officers.register import Register
from sharing.officers.verification import VerifiedEntry
from sharing.passkeys.passkey import CREDENTIAL_BYTES_MAX
from sharing.testing.broker import Broker
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import OFFICERS
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import TrustedKeys
from tests.kafka.topic_io import read_records, write_records
from tests.officers.register_fixtures import REGISTRARS, grant, make_fields, make_registrars, open_record, sign
from tests.support.soft_authenticator import SoftAuthenticator
from tests.trust.trust_fixtures import NOW, make_public

ONE, TWO, THREE = REGISTRARS


def open_writer(broker: Broker, keys: TrustedKeys) -> OfficerWriter:
    return OfficerWriter(broker.bootstrap, keys, clock=lambda: NOW)


def read(broker: Broker, keys: TrustedKeys, **options: Any) -> Register:
    return read_register(broker.bootstrap, keys, clock=lambda: NOW, **options)


def change(keys: TrustedKeys, newest: VerifiedEntry | None, **given: Any) -> OfficerRecord:
    """Return a change of officer o1 that registrar 2 signs."""
    return sign(change_officer(keys.state, "o1", newest, OfficerFields(**given), days=90, now=NOW), TWO)


def test_of_two_writers_the_first_counts_and_the_other_tries_again(broker: Broker, state: str) -> None:
    keys, topic = make_registrars(state), OFFICERS.topic(state)
    broker.create_topics([topic], 1)
    writer, other = open_writer(broker, keys), open_writer(broker, keys)
    first = writer.publish("o1", grant(Register(keys), roles=("JUDGE", "PROSECUTOR")))
    calls: list[int] = []

    def make(newest: VerifiedEntry | None, _: int) -> OfficerRecord:
        assert newest is not None
        calls.append(newest.entry.sequence)
        if len(calls) == 1:
            other.change("o1", lambda known, _: change(keys, known, roles=("JUDGE",)))
        return change(keys, newest, name="New name", roles=newest.entry.roles)

    changed = writer.change("o1", make)
    assert calls == [first.entry.sequence, first.entry.sequence + 1]
    assert (changed.entry.name, changed.entry.roles) == ("New name", ("JUDGE",))
    register = read(broker, keys)
    assert register.find_officer("o1", NOW) == changed.entry
    assert register.refusals == {}

    # A replayed record, a tombstone, another State's: refused by each reader, and no longer the last after a change.
    foreign = grant(Register(make_registrars("CH")), "o2")
    write_records(broker, topic, [first.record.encode(), None], key=b"o1")
    write_records(broker, topic, [foreign.encode()], key=b"o2")
    register = read(broker, keys)
    assert register.find_officer("o1", NOW) == changed.entry
    assert {key: error.fault for key, error in register.refusals.items()} == {
        "o1": TrustFault.UNSIGNED,
        "o2": TrustFault.WRONG_STATE,
    }
    assert read(broker, keys, remembered=register.list_records(NOW)).find_officer("o1", NOW) == changed.entry
    revoked = writer.change(
        "o1", lambda newest, _: sign(revoke_officer(require(newest), effective_at=NOW, now=NOW), THREE)
    )
    assert read(broker, keys).find_officer("o1", NOW) is None
    last = [record for record in read_records(broker, topic, 1) if record.key() == b"o1"][-1]
    assert decode_record(last.value()) == revoked.record


def require(newest: VerifiedEntry | None) -> VerifiedEntry:
    assert newest is not None
    return newest


@pytest.fixture
def keys(state: str, embedded: EmbeddedBroker) -> TrustedKeys:
    """Registrars of a State that has the topic on the embedded broker."""
    embedded.create_topics([OFFICERS.topic(state)], 1)
    return make_registrars(state)


def test_what_two_have_signed_loses_to_the_first(
    embedded: EmbeddedBroker, keys: TrustedKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, other = open_writer(embedded, keys), open_writer(embedded, keys)
    ours, theirs = grant(Register(keys)), grant(Register(keys), agency="customs")
    publish = writer._publish

    def come_second(records: list[tuple[str, OfficerRecord]]) -> None:
        monkeypatch.undo()
        other.publish("o1", theirs)
        publish(records)

    monkeypatch.setattr(writer, "_publish", come_second)
    with pytest.raises(InputError, match="another entry of this officer came first"):
        writer.publish("o1", ours)
    last = read_records(embedded, OFFICERS.topic(keys.state), 1)[-1]
    assert decode_record(last.value()) == theirs
    assert read(embedded, keys).refusals == {}
    with pytest.raises(TrustError, match="exists in two different forms"):
        writer.publish("o1", ours)


def test_a_reader_that_remembers_is_not_shown_an_older_register(embedded: EmbeddedBroker, keys: TrustedKeys) -> None:
    """As after a compaction behind a replayed record: only the old one is left."""
    register, old = Register(keys), grant(Register(keys))
    assert register.receive("o1", old.encode(), NOW) is None
    revoked = sign(revoke_officer(require(register.find_newest("o1", NOW)), effective_at=NOW, now=NOW), ONE)
    assert register.receive("o1", revoked.encode(), NOW) is None
    write_records(embedded, OFFICERS.topic(keys.state), [old.encode()], key=b"o1")
    shown = read(embedded, keys, remembered=register.list_records(NOW))
    assert shown.find_officer("o1", NOW) is None
    assert shown.refusals["o1"].fault is TrustFault.ROLLED_BACK
    assert read(embedded, keys).find_officer("o1", NOW) is not None  # what remains, until the entry expires


def test_nothing_is_written_that_a_reader_would_refuse(embedded: EmbeddedBroker, keys: TrustedKeys) -> None:
    writer = open_writer(embedded, keys)
    alone = sign(change_officer(keys.state, "o1", None, make_fields(), days=90, now=NOW), ONE)
    with pytest.raises(TrustError, match="needs 2"):
        writer.publish("o1", alone)
    with pytest.raises(TrustError, match="needs 2"):
        writer.change("o1", lambda *_: alone)
    assert read_records(embedded, OFFICERS.topic(keys.state), 1) == []


class BrokenConsumer:
    """A consumer whose topic has one record, and which returns an error, or nothing."""

    def __init__(self, code: int | None) -> None:
        self.code = code

    def get_watermark_offsets(self, *_: object, **__: object) -> tuple[int, int]:
        return 0, 1

    def list_topics(self, **_: object) -> None:
        pass

    def assign(self, _: object) -> None:
        pass

    def poll(self, _: float) -> BrokenConsumer | None:
        return None if self.code is None else self

    def error(self) -> KafkaError:
        assert self.code is not None
        return KafkaError(self.code)


@pytest.mark.parametrize(
    ("code", "message"),
    [(KafkaError._BAD_MSG, "so no officer is trusted"), (None, "cannot be read to its end within")],
)
def test_a_topic_that_cannot_be_read_gives_no_register(
    code: int | None, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(officer_topic, "READ_SECONDS_MAX", 0.01)
    with pytest.raises(InfrastructureError, match=message):
        officer_topic._read_to_end(cast("Consumer", BrokenConsumer(code)), "national.ch.officers", lambda *_: None)


def test_the_error_for_a_missing_topic_names_the_remedy(embedded: EmbeddedBroker, state: str) -> None:
    with pytest.raises(InfrastructureError, match="sharing topics apply"):
        read(embedded, make_registrars(state))


def test_the_largest_entry_fits_in_a_record() -> None:
    """With all roles, keys, passkeys and two signatures, and as large a grant beside it."""
    roles = tuple(f"R{number:063}" for number in range(ROLES_MAX))
    public = tuple(make_public(f"key {number}") for number in range(KEYS_MAX))
    host = ".".join(["d" * 62] * 4)
    devices = [SoftAuthenticator(f"{number}", origin=f"https://{host}:65535").passkey for number in range(PASSKEYS_MAX)]
    passkeys = tuple(
        each.model_copy(update={"credential_id": f"{number:02x}" * CREDENTIAL_BYTES_MAX})
        for number, each in enumerate(devices)
    )
    keys = make_registrars()
    record = grant(
        Register(keys),
        roles=roles,
        keys=public,
        passkeys=passkeys,
        name="\N{LATIN SMALL LETTER A WITH DIAERESIS}" * 200,
    )
    assert open_record(record).roles == roles
    assert 2 * len(record.encode()) < RECORD_BYTES_MAX < OFFICERS.max_message_bytes
