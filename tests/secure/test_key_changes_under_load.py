"""Keys are rotated and revoked while notices flow: nothing is lost, nothing comes twice, nothing valid is refused."""

from __future__ import annotations

import secrets
import shutil
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sharing.errors import DecodeError
from sharing.ids import make_notice_id
from sharing.model.times import from_milliseconds
from sharing.model.vocabulary import MessageKind
from sharing.seal.envelope import OutgoingMessage, Stream
from sharing.seal.inbox_record import decode_item
from sharing.seal.sealed_record import SealedRecord, decode_record, get_header
from sharing.seal.sealing import BatchSealer
from sharing.serialization.codec import get_codec
from sharing.topology.topics import INBOX, NOTICES
from sharing.trust.public_keys import KeyRole
from tests.kafka.topic_io import notice_record, read_records, write_records
from tests.secure.load import run_load
from tests.secure.secure_bus import PARTITIONS, SecureBus, make_item
from tests.secure.secure_states import read_now
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1200)]

PER_SECOND = 50
PLANNED_MS = 20_000
"""How far ahead the revocation takes effect: much longer than workers take to read of it."""

POLL_S_MAX = 60.0
"""A poll of the directory takes half a second; this machine may be busy. What is not polled is read once an hour."""


def list_sealed(bus: SecureBus, state: str) -> list[SealedRecord]:
    """Return the sealed messages on a State's topic of notices, without count statements, in the order of sending.

    Other tests have sent some before, to the same partitions.
    """
    values = [message.value() or b"" for message in read_records(bus.broker, NOTICES.topic(state), PARTITIONS)]
    records = [decode_record(value) for value in values if value.startswith(get_header())]
    return sorted(records, key=lambda record: record.envelope.sent_at)


def list_sealed_since(bus: SecureBus, state: str, known: set[str]) -> list[SealedRecord]:
    """Return those whose ids are not among the known ones."""
    return [record for record in list_sealed(bus, state) if record.envelope.id not in known]


def list_key_ids(bus: SecureBus, state: str, role: KeyRole) -> list[str]:
    return [key.key_id for key in bus.states[state].list_keys(role)]


def list_refused(bus: SecureBus) -> list[dict[str, Any]]:
    """Return the quarantine records of DE about notices.

    After a revocation there may be others, about checkpoints that the revoked key had signed and DE had not read.
    """
    return [entry for entry in bus.read_quarantine("DE") if entry["topic"] == NOTICES.topic("DE")]


def read_causes(bus: SecureBus, state: str) -> Counter[str]:
    return Counter(entry["cause"] for entry in bus.read_quarantine(state))


def publish_keys(bus: SecureBus, state: str) -> None:
    """Publish the newest key statement, as the State's worker does within a minute."""
    bus.states[state].open_writer(bus.bootstrap).renew()


def read_signing_key(bus: SecureBus, state: str, key_id: str) -> Any:
    """Return a private gate key, whether or not it was revoked: what a thief has."""
    online = bus.states[state].open_online()
    return online.folder.read_private_key("gate", key_id, online._access).to_signing_key()


def forge(bus: SecureBus, signing_key: Any, signed_at: int) -> tuple[str, bytes]:
    """Return id and record of a notice "CH → DE" that a thief of CH's gate key seals to DE and signs."""
    identity = str(uuid.uuid4())
    fields = {**notice_record("DE", "forged.example.org", identity), "sent_at": from_milliseconds(signed_at)}
    stream = Stream("gate", signed_at, 0, "notices")
    content = get_codec("notice").encode(fields)
    message = OutgoingMessage(identity, MessageKind.NOTICE, "DE", signed_at, stream, 1, content)
    seal_key = bus.states["DE"].list_keys(KeyRole.SEAL)[-1].to_published()
    sealer = BatchSealer("CH", secrets.token_bytes)
    (value,) = sealer.seal_batch([message], {"DE": seal_key}, signing_key, recipients_max=16, now=signed_at).records
    return identity, value


def send_forged(bus: SecureBus, signing_key: Any, signed_at: int) -> str | None:
    """Write such a notice, and return why DE refuses it; None if it opens it."""
    identity, value = forge(bus, signing_key, signed_at)
    before = list_refused(bus)
    write_records(bus.broker, NOTICES.topic("DE"), [value], key=identity.encode())
    wait_until(
        lambda: len(list_refused(bus)) > len(before) or identity in bus.list_item_ids("DE"),
        "DE judges the notice",
    )
    if identity in bus.list_item_ids("DE"):
        return None
    (refusal,) = [entry for entry in list_refused(bus) if entry not in before]
    return str(refusal["cause"])


def test_a_rotation_and_a_planned_revocation_lose_and_refuse_nothing(secure_bus: SecureBus) -> None:
    bus, ch, de = secure_bus, secure_bus.states["CH"], secure_bus.states["DE"]
    refused = read_causes(bus, "DE")
    known = {record.envelope.id for record in list_sealed(bus, "DE")}
    with run_load(bus, "CH", "DE", "rotation", PER_SECOND) as load:
        wait_until(lambda: len(load.received) >= PER_SECOND, "notices flow")
        ch.rotate(KeyRole.GATE)
        de.rotate(KeyRole.SEAL)
        for state in ("CH", "DE"):
            publish_keys(bus, state)
        new_seal_key = list_key_ids(bus, "DE", KeyRole.SEAL)[-1]
        wait_until(lambda: list_sealed(bus, "DE")[-1].envelope.seal_key == new_seal_key, "CH seals to DE's new key")
        old, new = list_key_ids(bus, "CH", KeyRole.GATE)[-2:]
        assert {record.envelope.signer for record in list_sealed_since(bus, "DE", known)} == {old}
        effective_at = read_now() + PLANNED_MS
        ch.revoke(old, effective_at)
        publish_keys(bus, "CH")
        wait_until(lambda: read_now() > effective_at + 1_000, "the revocation is in effect")
        seen = len(load.received)
        wait_until(lambda: len(load.received) > seen + 2 * PER_SECOND, "notices flow under the new key")
        assert list_sealed(bus, "DE")[-1].envelope.signer == new
        wait_until(lambda: len(load.items) > 8 * PER_SECOND, "many items were published")
    assert len(load.items) > 8 * PER_SECOND
    sent = list_sealed_since(bus, "DE", known)
    assert {record.envelope.signer for record in sent} == {old, new}
    assert len({record.envelope.seal_key for record in sent}) == 2
    assert set(load.received) >= load.items.keys()
    assert set(load.received.values()) == {1}
    assert Counter(bus.list_item_ids("DE")).most_common(1)[0][1] == 1
    assert read_causes(bus, "DE") == refused, "nothing valid was refused"


def test_what_arrives_under_a_revoked_key_is_refused_whatever_its_date_and_published_again(
    secure_bus: SecureBus,
) -> None:
    """What was under way at a revocation with immediate effect is refused; the same ids bring it under the new key."""
    bus, ch = secure_bus, secure_bus.states["CH"]
    old = list_key_ids(bus, "CH", KeyRole.GATE)[-1]
    ch.rotate(KeyRole.GATE)
    publish_keys(bus, "CH")
    stolen = read_signing_key(bus, "CH", old)
    assert send_forged(bus, stolen, read_now()) is None, "before the revocation a thief is believed"
    items = [make_item("CH", "DE", f"under way {number}") for number in range(20)]
    expected = {make_notice_id("CH", "agency", item["id"], 1, "DE") for item in items}
    worker = bus.workers["DE"]
    assert worker.stop() == 0, worker.read_log_tail()
    try:
        publish(bus, items)
        wait_until(
            lambda: expected <= {record.envelope.id for record in list_sealed(bus, "DE")}, "CH's gate has sent them"
        )
        before_ms, refused = read_now(), len(list_refused(bus))
        ch.revoke(old)
        publish_keys(bus, "CH")
    finally:
        worker.start()  # it reads the directory to its end before it opens anything
    assert {record.envelope.signer for record in list_sealed(bus, "DE") if record.envelope.id in expected} == {old}
    wait_until(lambda: len(list_refused(bus)) >= refused + len(items), "DE has refused what was under way")
    causes = [send_forged(bus, stolen, signed_at) for signed_at in (before_ms - 60_000, read_now())]
    assert causes == ["REVOKED", "REVOKED"], "whatever its date"
    assert not expected & set(bus.list_item_ids("DE")), "nor what was under way"
    publish(bus, items)
    wait_until(lambda: expected <= set(bus.list_item_ids("DE")), "what is published again arrives under the new key")
    items_of_de = Counter(bus.list_item_ids("DE"))
    assert {items_of_de[identity] for identity in expected} == {1}
    received = Counter(notice.id for notice in bus.receive("DE", "under-way"))
    assert {received[identity] for identity in expected} == {1}


def publish(bus: SecureBus, items: list[dict[str, Any]]) -> None:
    with bus.open_publisher("CH") as publisher:
        for item in items:
            publisher.publish(item)


def test_gates_and_readers_stop_within_a_poll(secure_bus: SecureBus) -> None:
    """A revocation that is in the directory soon holds for each of them."""
    bus, ch = secure_bus, secure_bus.states["CH"]
    old = list_key_ids(bus, "CH", KeyRole.GATE)[-1]
    ch.rotate(KeyRole.GATE)
    publish_keys(bus, "CH")
    stolen = read_signing_key(bus, "CH", old)
    identity, values = _send_to_ch(bus)
    assert {slot.signer for slot, _ in decode_item(values[identity]).slots} == {old}
    with bus.open_reader("CH") as reader:
        assert reader.open_notice(values[identity]) is not None
        ch.revoke(old)
        publish_keys(bus, "CH")
        is_refused = _is_refused_as_revoked(lambda: reader.open_notice(values[identity]))
        wait_until(is_refused, "the reader of CH refuses what the revoked key of its gate has signed", POLL_S_MAX)
    wait_until(
        lambda: send_forged(bus, stolen, read_now()) == "REVOKED", "the worker of DE refuses it, too", POLL_S_MAX
    )


def _send_to_ch(bus: SecureBus) -> tuple[str, dict[str, bytes]]:
    """Publish an item of DE; return the id of its notice, and the items of CH's inbox by id."""
    item = make_item("DE", "CH", f"for CH {uuid.uuid4()}")
    identity = make_notice_id("DE", "agency", item["id"], 1, "CH")
    with bus.open_publisher("DE") as publisher:
        publisher.publish(item)
    wait_until(lambda: identity in bus.list_item_ids("CH"), "CH has it")
    messages = read_records(bus.broker, INBOX.topic("CH"), PARTITIONS)
    return identity, {(message.key() or b"").decode(): message.value() or b"" for message in messages}


def _is_refused_as_revoked(open_item: Callable[[], object]) -> Callable[[], bool]:
    def check() -> bool:
        try:
            open_item()
        except DecodeError as error:
            return error.cause == "REVOKED"
        return False

    return check


def test_a_worker_with_an_older_key_folder_signs_nothing_under_a_revoked_key(
    secure_bus: SecureBus, tmp_path: Path
) -> None:
    """Its folder was put back from a backup. What it signed would be refused, and count as sent."""
    bus, ch, worker = secure_bus, secure_bus.states["CH"], secure_bus.workers["CH"]
    shutil.copytree(ch.keys.path, tmp_path / "old")
    old = list_key_ids(bus, "CH", KeyRole.GATE)[-1]
    ch.rotate(KeyRole.GATE)
    ch.revoke(old)
    publish_keys(bus, "CH")
    worker.stop()
    newest = ch.keys.path.rename(tmp_path / "newest")
    shutil.copytree(tmp_path / "old", ch.keys.path)
    item, refused = make_item("CH", "DE", f"old folder {uuid.uuid4()}"), len(list_refused(bus))
    identity = make_notice_id("CH", "agency", item["id"], 1, "DE")
    publish(bus, [item])
    logged = worker.log.stat().st_size
    try:
        worker.start()
        wait_until(lambda: worker.exit_code() is not None, "the worker ends")
        assert worker.exit_code() == 2
        said = worker.log.read_bytes()[logged:].decode()
        assert "may sign: key statement" in said
        assert "an older copy of the folder was put back" in said
        assert identity not in {record.envelope.id for record in list_sealed(bus, "DE")}
    finally:
        shutil.rmtree(ch.keys.path)
        newest.rename(ch.keys.path)
        worker.stop()
        worker.start()
    wait_until(lambda: identity in bus.list_item_ids("DE"), "with the newest folder it goes on where it stopped")
    assert Counter(bus.list_item_ids("DE"))[identity] == 1
    assert len(list_refused(bus)) == refused
