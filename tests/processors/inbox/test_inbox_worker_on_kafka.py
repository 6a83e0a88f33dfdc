"""A whole worker on a real Kafka, with its keys in a folder: it opens what another State sends, and survives a kill."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from sharing.directory.announcements import encode_entry
from sharing.kafka.directory_writer import DirectoryWriter
from sharing.kafka.topic_admin import apply_topics
from sharing.keystore.online_keys import OnlineKeys
from sharing.keystore.pin_file import make_pinned_root, write_pins
from sharing.keystore.private_key import generate_key
from sharing.seal.hpke import MemoryOpeningKey
from sharing.seal.inbox_opening import InboxOpener
from sharing.serialization.codec import get_codec
from sharing.topology.topics import DIRECTORY, INBOX, NOTICES, QUARANTINE, list_topics
from sharing.trust.public_keys import KeyAlgorithm, KeyRole
from sharing.trust.readers import Reader, change_readers, sign_readers
from tests.directory.signed_states import SignedState
from tests.faults.gate_process import GateProcess
from tests.kafka.directory_fixtures import make_entry
from tests.kafka.topic_io import notice_bytes, read_records, write_records
from tests.keystore.state_keys import PASSPHRASE, StateKeys
from tests.processors.inbox.inbox_fixtures import FakeState

if TYPE_CHECKING:
    from pathlib import Path

    from sharing.testing.broker.kafka import KafkaBroker

pytestmark = pytest.mark.kafka


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_a_worker_with_keys_opens_for_its_readers_and_resumes_after_a_kill(
    fresh_kafka: KafkaBroker, tmp_path: Path
) -> None:
    apply_topics(fresh_kafka.bootstrap, list_topics(["CH", "DE"], 2), 1)
    began = now_ms() - 60_000
    ch = StateKeys(tmp_path / "keys")
    ch.init(now=began)
    ch.rotate(*KeyRole, now=began)
    own = OnlineKeys.open(ch.path, PASSPHRASE)
    de = SignedState("DE", now=began)
    for key, value in (("root.1", de.root_data), ("keys", de.keys_data), ("DE", de.announce())):
        write_records(fresh_kafka, DIRECTORY.topic("DE"), [value], key=key.encode())
    DirectoryWriter(fresh_kafka.bootstrap, own).announce(encode_entry(make_entry("CH")))
    write_pins(tmp_path / "trust.yaml", {"DE": make_pinned_root(de.pin, began)})
    (tmp_path / "pass").write_text(PASSPHRASE.get_secret_value())
    (tmp_path / "pass").chmod(0o600)
    settings = {
        "trust_file": str(tmp_path / "trust.yaml"),
        "key_folder": str(ch.path),
        "key_passphrase_file": str(tmp_path / "pass"),
    }
    sender = FakeState("DE", now=now_ms())
    (seal_key,) = own.get_opening_keys(began).values()

    def send(count: int) -> list[str]:
        messages = [sender.make_message("CH") for _ in range(count)]
        sealed = sender.sealer.seal_batch(
            messages, {"CH": seal_key.public_key}, sender.gate_key, recipients_max=16, now=sender.now
        ).records
        for start in range(0, count, 20):  # librdkafka makes larger batches than the topic accepts
            write_records(fresh_kafka, NOTICES.topic("CH"), sealed[start : start + 20])
        write_records(fresh_kafka, NOTICES.topic("CH"), [notice_bytes("CH", "forged.example.org")])
        return [message.id for message in messages]

    def list_ids() -> list[str]:
        return [(message.key() or b"").decode() for message in read_records(fresh_kafka, INBOX.topic("CH"))]

    sent = send(3)
    with GateProcess(fresh_kafka.bootstrap, "CH", tmp_path, **settings) as worker:
        worker.wait_until(lambda: "the inbox is waiting: CH has no list" in worker.log.read_text(), poll_s=0.2)
        assert not list_ids(), "without readers nothing is read past"
        reader = generate_key("CH", "reader", KeyAlgorithm.X25519)
        added = [Reader(name="case-system", key=reader.public_key)]
        readers = change_readers("CH", None, added=added, now=now_ms())
        ch.folder.write_readers(sign_readers(readers, own.get_signing_key(KeyRole.REGISTRAR, now_ms())), 1)
        worker.wait_until(lambda: list_ids() == sent, poll_s=0.5)
        sent += send(200)
        worker.wait_until(lambda: len(list_ids()) > 3, poll_s=0.05)
        worker.kill()
    with GateProcess(fresh_kafka.bootstrap, "CH", tmp_path, **settings) as worker:
        worker.wait_until(lambda: len(list_ids()) >= len(sent), poll_s=0.5)
        sent += send(1)
        worker.wait_until(lambda: len(list_ids()) >= len(sent), poll_s=0.5)
        assert worker.stop() == 0, worker.read_log_tail()
    assert list_ids() == sent
    opener = InboxOpener("CH", MemoryOpeningKey(KeyAlgorithm.X25519, reader.seed))
    for message in read_records(fresh_kafka, INBOX.topic("CH")):
        assert opener.open(message.value(), own.get_trusted_keys(now_ms()), now_ms()).envelope.from_state == "DE"
    refused = read_records(fresh_kafka, QUARANTINE.topic("CH"))
    quarantined = [get_codec("quarantine").decode(message.value()) for message in refused]
    assert [(each["topic"], each["cause"]) for each in quarantined] == [(NOTICES.topic("CH"), "UNSEALED")] * 3
