"""Officers of two States answer at the command line, and real workers do what they say."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from sharing.ids import make_item_id
from sharing.keystore.private_key import KeyHeader, PrivateKey
from sharing.keystore.private_key_file import write_private_key
from sharing.rulings.act import ActKind
from sharing.seal.rulings import is_sealed_ruling
from sharing.topology.topics import RULINGS
from tests.cli.conftest import Call, call  # noqa: F401 a fixture
from tests.kafka.topic_io import read_records
from tests.secure.secure_bus import PARTITIONS, SecureBus, make_item
from tests.secure.secure_officers import SecureOfficers
from tests.trust.trust_fixtures import make_public, make_seed

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1200)]

OFFICER = "desk-judge"
WORDS = "the words of an officer, for the file"
PASSPHRASE = "an officer's passphrase"  # noqa: S105 of keys that live as long as a test


@dataclass
class Console:
    """The command line of a State's officers."""

    bus: SecureBus
    state: str
    call: Call
    folder: Path
    patch: pytest.MonkeyPatch

    def __post_init__(self) -> None:
        header = KeyHeader(state=self.state, role="officer", key=make_public(f"{self.state} {OFFICER}"))
        key = PrivateKey(header, make_seed(f"{self.state} {OFFICER}"))
        write_private_key(self.folder / f"{self.state}.key", key, SecretStr(PASSPHRASE))
        secret = self.folder / f"{self.state}.pass"
        secret.write_text(PASSPHRASE)
        secret.chmod(0o600)
        SecureOfficers(self.bus, self.state).enter(OFFICER)

    def run(self, *arguments: str) -> Any:
        """Return the JSON lines that a command prints."""
        reader, passphrase = self.bus.states[self.state].reader_files
        for name, value in {
            "BOOTSTRAP": self.bus.bootstrap, "STATE": self.state, "PACKS": self.bus.folder / "packs",
            "KEY_FOLDER": self.bus.states[self.state].keys.path, "TRUST_FILE": self.bus.states.trust_file,
            "READER_KEY": reader, "READER_PASSPHRASE_FILE": passphrase,
            "KEY_PASSPHRASE_FILE": self.bus.states.make_settings(self.state)["key_passphrase_file"],
        }.items():  # fmt: skip
            self.patch.setenv(f"SHARING_{name}", str(value))
        result = self.call(*arguments, "--json")
        assert result.code == 0, result
        return result.json_lines

    def rule(self, *arguments: str) -> list[str]:
        """Let the officer rule. Return what the worker has done because of it."""
        files = (str(self.folder / f"{self.state}.{suffix}") for suffix in ("key", "pass"))
        key, passphrase = files
        options = ("--as", OFFICER, "--key", key, "--passphrase-file", passphrase, "--wait", "240")
        (outcome,) = self.run(*arguments, *options)
        assert (outcome["waiting_for"], outcome["refused"]) == ([], [])
        return [act["kind"] for act in outcome["acts"]]

    def await_ask(self, kind: str, item: str) -> dict[str, Any]:
        """Return the open Ask of a kind about an item that the State's people are asked."""
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            for ask in self.run("asks", "list", "--kind", kind):
                if ask["items"] == [item] and ask["to"] == self.state:
                    return dict(ask)
            time.sleep(0.5)
        pytest.fail(f"nobody in {self.state} is asked to {kind} about {item}")


def publish(bus: SecureBus, name: str, **changes: Any) -> str:
    """Let CH publish an item for DE, and return the item's id."""
    indicator = make_item("CH", "DE", name, **changes)
    with bus.open_publisher("CH") as publisher:
        publisher.publish(indicator)
    return make_item_id("CH", "agency", indicator["id"])


@pytest.fixture
def consoles(
    secure_bus: SecureBus, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch  # noqa: F811 a fixture
) -> tuple[Console, Console]:  # fmt: skip
    ch, de = (Console(secure_bus, state, call, tmp_path, monkeypatch) for state in ("CH", "DE"))
    return ch, de


def test_an_offer_is_accepted_and_the_item_recalled(consoles: tuple[Console, Console], secure_bus: SecureBus) -> None:
    ch, de = consoles
    item = publish(secure_bus, "offered to the desk", offence={"codes": ["ILLEGAL_ACCESS"]})
    ask = de.await_ask("ACCEPT", item)
    (shown,) = de.run("asks", "show", ask["id"])
    assert [condition["text"] for condition in shown["conditions"]] == ["Only canary-condition."]
    assert "canary-citation" in {rule["citation"] for rule in shown["law"]}
    assert "REPLIED" in de.rule("asks", "answer", ask["id"], "ACCEPTED")
    deadline = time.monotonic() + 240
    while (item_shown := ch.run("items", "show", item)[0])["deliveries"] != {"DE": "SENT"}:
        assert time.monotonic() < deadline, item_shown
        time.sleep(0.5)
    whats = [event["what"] for event in item_shown["timeline"]]
    assert whats[:2] == ["DECIDED", "ASK_OPENED"]
    assert {"ASK_ENDED", "NOTICE_SENT"} <= set(whats)

    assert "NOTICE_SENT" in ch.rule("items", "recall", item, "--to", "DE")
    recall = de.await_ask("ACK_RECALL", item)
    received = [row for row in de.run("inbox", "list") if row["item_id"] == item]
    assert any(row["kind"] == "ITEM" and row["recalled"] for row in received)
    assert "SHREDDED" in de.rule("asks", "answer", recall["id"], "ACKNOWLEDGED")
    left = [row for row in de.run("inbox", "list") if row["item_id"] == item and row["kind"] == "ITEM"]
    assert left == []


def test_a_hold_is_claimed_and_approved(consoles: tuple[Console, Console], secure_bus: SecureBus) -> None:
    ch, _ = consoles
    item = publish(secure_bus, "held for the desk", collection="INTERCEPTION")
    ask = ch.await_ask("APPROVE", item)
    assert ch.rule("asks", "claim", ask["id"]) == ["ASK_CHANGED"]
    assert ch.await_ask("APPROVE", item)["claimed_by"] == OFFICER
    assert ch.rule("asks", "answer", ask["id"], "APPROVED", "--text", WORDS) == ["ASK_ENDED", "NOTICE_SENT"]
    digests = {act.ruling for act in SecureOfficers(secure_bus, "CH").list_acts(item) if act.kind is ActKind.ASK_ENDED}
    (digest,) = digests
    assert digest is not None

    # The words are on the broker, and nobody reads them there; the State's own key opens them.
    values = [message.value() or b"" for message in read_records(secure_bus.broker, RULINGS.topic("CH"), PARTITIONS)]
    assert values
    assert all(is_sealed_ruling(value) and WORDS.encode() not in value for value in values)
    (shown,) = ch.run("audit", "ruling", digest[:12])
    assert (shown["ruling"], shown["verified"], shown["fault"]) == (digest, True, None)
    assert (shown["signed"]["officer"], shown["signed"]["text"]) == (OFFICER, WORDS)
    assert {act["kind"] for act in shown["acts"]} == {"ASK_ENDED", "NOTICE_SENT"}
    uses = ch.run("audit", "uses")
    assert [use["command"] for use in uses if use["item_id"] == item and use["kind"] == "RULING"] == ["audit ruling"]


def test_nothing_is_ruled_in_clear_where_the_keys_of_the_worker_are_not_known(
    consoles: tuple[Console, Console], secure_bus: SecureBus
) -> None:
    ch, _ = consoles
    item = publish(secure_bus, "held without a pin", collection="INTERCEPTION")
    ask = ch.await_ask("APPROVE", item)
    before = len(read_records(secure_bus.broker, RULINGS.topic("CH"), PARTITIONS))
    key, passphrase = (str(ch.folder / f"CH.{suffix}") for suffix in ("key", "pass"))
    for name in ("KEY_FOLDER", "TRUST_FILE"):
        ch.patch.delenv(f"SHARING_{name}")
    options = ("--as", OFFICER, "--key", key, "--passphrase-file", passphrase)
    refused = ch.call("asks", "answer", ask["id"], "APPROVED", *options)
    assert (refused.code, refused.out) == (2, "")
    assert "set SHARING_TRUST_FILE" in refused.err
    # With the pinned root alone, as on an officer's own machine, the key is looked up in the directory.
    ch.patch.setenv("SHARING_TRUST_FILE", str(secure_bus.states.trust_file))
    assert len(read_records(secure_bus.broker, RULINGS.topic("CH"), PARTITIONS)) == before
    answered = ch.call("asks", "answer", ask["id"], "APPROVED", *options, "--wait", "240", "--json")
    assert answered.code == 0, answered
    assert answered.json_document["refused"] == []
    assert [act["kind"] for act in answered.json_document["acts"]] == ["ASK_ENDED", "NOTICE_SENT"]
