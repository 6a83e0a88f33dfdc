"""A reader opens its State's inbox with a key from a file, and trusts the gate that its pinned root leads to."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import KafkaError
from pydantic import SecretStr

from sharing import InboxReader, Subscriber, UnreadableNotice
from sharing.errors import InfrastructureError, InputError, SettingsError
from sharing.kafka.use_log import UseContext
from sharing.kafka.use_reader import read_uses
from sharing.keystore.pin_file import make_pinned_root, write_pins
from sharing.keystore.private_key import PrivateKey, generate_key
from sharing.keystore.private_key_file import write_private_key
from sharing.model.vocabulary import MessageKind
from sharing.seal.inbox_sealing import InboxSealer, ReceivedMessage
from sharing.topology.topics import DIRECTORY, INBOX, INBOX_URGENT, NOTICES, URGENT, USES
from sharing.trust.public_keys import KeyAlgorithm, KeyRole
from tests.cli.conftest import Call, call  # noqa: F401 a fixture
from tests.directory.signed_states import SignedState
from tests.kafka.topic_io import notice_bytes, notice_record, write_records
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from sharing.testing.broker import Broker
    from sharing.testing.broker.embedded import EmbeddedBroker

PASSPHRASE = "correct horse battery"  # noqa: S105 of keys that live as long as a test


@dataclass
class ReaderFiles:
    """A State whose directory is on the broker, and the files of one of its readers."""

    broker: Broker
    signed: SignedState
    key: PrivateKey
    folder: Path

    @property
    def key_file(self) -> Path:
        return self.folder / "reader.key"

    @property
    def passphrase_file(self) -> Path:
        return self.folder / "reader.pass"

    @property
    def trust_file(self) -> Path:
        return self.folder / "trust.yaml"

    def open(self, state: str | None = None) -> InboxReader:
        return InboxReader.open(
            self.broker.bootstrap,
            state or self.signed.state,
            self.key_file,
            self.passphrase_file,
            self.trust_file,
        )

    def put(self, value: str, *, urgent: bool = False, reader: PrivateKey | None = None, signer: str = "gate") -> str:
        """Put a notice into the inbox, as the gate does; return its id."""
        state = self.signed.state
        record = notice_record(state, value)
        received = ReceivedMessage(
            record["id"], MessageKind.NOTICE, "CH", "ORDINARY", now_ms(), "a" * 64,
            notice_bytes(state, value, record["id"]),
        )  # fmt: skip
        sealer = InboxSealer(state, secrets.token_bytes)
        (item,) = sealer.seal_for_readers(
            [received], [(reader or self.key).public_key], self.signed.get_signer(KeyRole(signer)), now_ms()
        )
        write_records(self.broker, (INBOX_URGENT if urgent else INBOX).topic(state), [item], key=record["id"].encode())
        return str(record["id"])

    def prepare(self) -> None:
        """Announce the State, and write the files of the reader."""
        signed = self.signed
        for key, value in (("root.1", signed.root_data), ("keys", signed.keys_data), (signed.state, signed.announce())):
            self.announce(key, value)
        write_private_key(self.key_file, self.key, SecretStr(PASSPHRASE))
        self.passphrase_file.write_text(PASSPHRASE)
        self.passphrase_file.chmod(0o600)
        write_pins(self.trust_file, {signed.state: make_pinned_root(signed.pin, now_ms())})

    def announce(self, key: str, value: bytes) -> None:
        write_records(self.broker, DIRECTORY.topic(self.signed.state), [value], key=key.encode())


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def files(embedded: EmbeddedBroker, state: str, tmp_path: Path) -> ReaderFiles:
    signed = SignedState(state, now=now_ms() - 60_000)
    files = ReaderFiles(embedded, signed, generate_key(state, "reader", KeyAlgorithm.MLKEM768_X25519), tmp_path)
    embedded.create_topics([kind.topic(state) for kind in (INBOX, INBOX_URGENT, USES, NOTICES, URGENT)], 1)
    embedded.create_topics([DIRECTORY.topic(state)], 1)
    files.prepare()
    return files


def read(files: ReaderFiles) -> tuple[list[str], list[UnreadableNotice]]:
    reported: list[UnreadableNotice] = []
    state = files.signed.state
    with (
        files.open() as reader,
        Subscriber(
            files.broker.bootstrap, state, reader=reader, stop_at_end=True, on_unreadable=reported.append
        ) as subscriber,
    ):
        return [notice.id for notice in subscriber], reported


def test_a_reader_receives_what_the_gate_has_sealed_to_it_urgent_ones_first(files: ReaderFiles) -> None:
    state = files.signed.state
    ordinary, urgent = files.put("one.example.org"), files.put("two.example.org", urgent=True)
    write_records(files.broker, URGENT.topic(state), [notice_bytes(state, "forged.example.org")])
    write_records(files.broker, INBOX.topic(state), [notice_bytes(state, "forged.example.org"), None])
    files.put("three.example.org", reader=generate_key(state, "reader", KeyAlgorithm.X25519))
    files.put("four.example.org", signer="desk")
    received, reported = read(files)
    assert received == [urgent, ordinary]
    assert [each.cause for each in reported] == ["UNSEALED", "UNKNOWN_SEAL_KEY", "WRONG_PURPOSE"]
    assert "example.org" not in str(reported)


def test_what_is_handed_out_is_recorded_with_reader_and_instant(files: ReaderFiles) -> None:
    started = now_ms()
    ids = [files.put("one.example.org"), files.put("two.example.org", urgent=True)]
    files.put("three.example.org", reader=generate_key(files.signed.state, "reader", KeyAlgorithm.X25519))
    received, _ = read(files)
    recorded = list(read_uses(files.broker.bootstrap, files.signed.state, "exchange.uses-test"))
    assert sorted(each.use.id for each in recorded) == sorted(ids) == sorted(received)
    for each in recorded:
        assert started <= each.use.at <= now_ms()
        assert (each.use.kind, each.use.from_state) == ("ITEM", "CH")
        assert each.context == UseContext("reader", files.key.public_key.key_id, "Subscriber", "")


def test_a_notice_is_not_handed_out_where_uses_cannot_be_recorded(files: ReaderFiles) -> None:
    files.put("one.example.org")
    with files.open() as reader:
        assert reader.uses is not None
        reader.uses._topic = "national.xx.uses-that-nobody-made"
        with pytest.raises(InfrastructureError, match=r"national\.xx\.uses-that-nobody-made"):
            Subscriber(files.broker.bootstrap, files.signed.state, reader=reader, stop_at_end=True)


def test_what_cannot_be_recorded_ends_the_iteration_and_is_delivered_again(files: ReaderFiles) -> None:
    identity = files.put("one.example.org")
    with files.open() as reader:
        subscriber = Subscriber(files.broker.bootstrap, files.signed.state, reader=reader, stop_at_end=True)
        assert reader.uses is not None
        reader.uses._failures.append(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
        with pytest.raises(InfrastructureError, match="partner"):
            list(subscriber)
        reader.uses._failures.clear()
        assert [notice.id for notice in subscriber] == [identity]
        subscriber.close()


def test_a_revocation_takes_effect_while_the_reader_runs(files: ReaderFiles) -> None:
    with files.open() as reader:
        keys = reader._directory.trusted_keys[files.signed.state]
        files.announce("keys", files.signed.revoke(KeyRole.GATE, now=now_ms() - 1))
        files.announce(files.signed.state, files.signed.renew(now=now_ms()))
        wait_until(lambda: reader._directory.trusted_keys.get(files.signed.state, keys) is not keys, "the new keys")
    files.put("late.example.org")
    received, reported = read(files)
    assert not received
    assert [each.cause for each in reported] == ["REVOKED"]


def test_a_revocation_takes_effect_after_the_directory_could_not_be_read(
    files: ReaderFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sharing.clients.inbox_reader._RETRY_SECONDS", 0.01)
    with files.open() as reader:
        poll, failed = reader._directory.poll_updates, threading.Event()

        def fail_once(seconds: float) -> Any:
            if not failed.is_set():
                failed.set()
                raise InfrastructureError("directory.<st>: no State has this topic")
            return poll(seconds)

        monkeypatch.setattr(reader._directory, "poll_updates", fail_once)
        wait_until(failed.is_set, "the failure")
        keys = reader._directory.trusted_keys[files.signed.state]
        files.announce("keys", files.signed.revoke(KeyRole.GATE, now=now_ms() - 1))
        files.announce(files.signed.state, files.signed.renew(now=now_ms()))
        wait_until(lambda: reader._directory.trusted_keys.get(files.signed.state, keys) is not keys, "the new keys")


def test_nothing_is_passed_over_while_the_keys_are_not_known(files: ReaderFiles) -> None:
    files.put("one.example.org")
    with files.open() as reader:
        reader._directory._view.trusted_keys = {}
        reader._stopping.set()
        reader._thread.join()
        reader._directory._view.trusted_keys = {}
        with (
            Subscriber(files.broker.bootstrap, files.signed.state, reader=reader, stop_at_end=True) as subscriber,
            pytest.raises(InfrastructureError, match="nothing in its inbox can be verified"),
        ):
            next(iter(subscriber))
    assert len(read(files)[0]) == 1


def test_a_wrong_passphrase_another_key_or_an_unpinned_root_is_one_sentence(files: ReaderFiles, tmp_path: Path) -> None:
    files.passphrase_file.write_text("another passphrase")
    with pytest.raises(InputError, match="the passphrase is wrong"):
        files.open()
    files.passphrase_file.write_text(PASSPHRASE)
    with pytest.raises(InputError, match="not a reader key of CH"):
        files.open("CH")
    files.trust_file.unlink()
    with pytest.raises(SettingsError, match="does not exist, so no State is trusted"):
        files.open()
    write_pins(files.trust_file, {})
    with pytest.raises(SettingsError, match="does not pin the root"):
        files.open()
    write_pins(files.trust_file, {files.signed.state: make_pinned_root(files.signed.pin, now_ms())})
    files.key_file.unlink()
    write_private_key(
        files.key_file, generate_key(files.signed.state, "desk", KeyAlgorithm.ED25519), SecretStr(PASSPHRASE)
    )
    with pytest.raises(InputError, match="is a desk key"):
        files.open()


def test_the_command_reads_the_inbox_if_a_readers_key_is_set(
    files: ReaderFiles,
    call: Call,  # noqa: F811 the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files.put("sealed.example.org")
    monkeypatch.setenv("SHARING_BOOTSTRAP", files.broker.bootstrap)
    monkeypatch.setenv("SHARING_TRUST_FILE", str(files.trust_file))
    result = call("subscribe", files.signed.state, "--once")
    assert (result.code, "set SHARING_READER_KEY" in result.err) == (2, True)
    monkeypatch.setenv("SHARING_READER_KEY", str(files.key_file))
    result = call("subscribe", files.signed.state, "--once")
    assert (result.code, "SHARING_READER_PASSPHRASE_FILE is not" in result.err) == (2, True)
    monkeypatch.setenv("SHARING_READER_PASSPHRASE_FILE", str(files.passphrase_file))
    result = call("subscribe", files.signed.state, "--once", "--json")
    assert (result.code, result.err) == (0, "")
    assert [line["indicator"]["value"] for line in result.json_lines] == ["sealed.example.org"]
