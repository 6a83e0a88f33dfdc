"""Items of an inbox that arrived before the gate's key was revoked stay readable; what arrives later is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from sharing.keystore.private_key import generate_key
from sharing.testing.broker.kafka import KafkaBroker
from sharing.topology.topics import DIRECTORY, INBOX, INBOX_URGENT, USES
from sharing.trust.public_keys import KeyAlgorithm, KeyRole
from tests.clients.test_inbox_reader import ReaderFiles, now_ms, read
from tests.directory.signed_states import SignedState
from tests.support.waiting import wait_until

pytestmark = pytest.mark.kafka


@pytest.fixture
def files(kafka: KafkaBroker, state: str, tmp_path: Path) -> ReaderFiles:
    """A State whose topics have the time of a real broker, as the topic table says."""
    signed = SignedState(state, now=now_ms() - 60_000)
    files = ReaderFiles(kafka, signed, generate_key(state, "reader", KeyAlgorithm.MLKEM768_X25519), tmp_path)
    for kind in (INBOX, INBOX_URGENT, USES, DIRECTORY):
        kafka.create_topics([kind.topic(state)], 1, config=kind.config())
    files.prepare()
    return files


def test_a_reader_that_comes_after_a_revocation_reads_what_arrived_before_it(files: ReaderFiles) -> None:
    early = [files.put("one.example.org"), files.put("two.example.org", urgent=True)]
    written_at = now_ms()
    wait_until(lambda: now_ms() > written_at + 1, "the next millisecond")
    files.announce("keys", files.signed.revoke(KeyRole.GATE, now=now_ms()))
    files.announce(files.signed.state, files.signed.renew(now=now_ms()))
    files.put("late.example.org")
    received, reported = read(files)
    assert sorted(received) == sorted(early)
    assert [each.cause for each in reported] == ["REVOKED"]
