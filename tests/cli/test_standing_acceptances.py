"""`sharing directory accept`, and what of it an announcement and a renewal state."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sharing.kafka.directory_writer import DirectoryWriter, RenewalResult
from sharing.kafka.officer_topic import read_register
from sharing.keystore.online_keys import OnlineKeys
from sharing.keystore.passphrases import read_passphrase_file
from sharing.model.standing_acceptance import hash_condition_text
from sharing.model.times import DAY_MS, format_time
from sharing.officers.register import Register
from sharing.packs.library import find_law
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import DIRECTORY, NOTICES, OFFICERS
from tests.cli.conftest import Call, CommandResult
from tests.cli.test_officers import Registrars, make_registrars

CODES = ("de.irg-61a-2-b", "common.h0")


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        broker.create_topics([OFFICERS.topic("CH"), DIRECTORY.topic("CH"), NOTICES.topic("CH")], 1)
        monkeypatch.setenv("SHARING_BOOTSTRAP", broker.bootstrap)
        yield broker


@pytest.fixture
def ch(call: Call, empty_folder: Path, broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> Registrars:
    registrars = make_registrars(call, empty_folder)
    assert registrars.ceremony.run("issue", "--role", "directory").code == 0
    monkeypatch.setenv("SHARING_KEY_FOLDER", str(registrars.ceremony.keys))
    monkeypatch.setenv("SHARING_KEY_PASSPHRASE_FILE", str(registrars.ceremony.folder / "online.pass"))
    monkeypatch.setenv("SHARING_TRUST_FILE", "trust.yaml")
    registrars.add_judge("o-17")
    return registrars


def accept(
    ch: Registrars, *options: str | Path, officer: str = "o-17", key: str = "o-17", days: int = 180
) -> CommandResult:
    folder = ch.ceremony.folder
    until = format_time(time.time_ns() // 1_000_000 + days * DAY_MS)
    conditions = [part for code in CODES for part in ("--condition", code)]
    return ch.call(
        "directory", "accept", "--state", "CH", "--from", "DE", *conditions, "--offence", "LAUNDERING",
        "--urgency", "EMERGENCY", "--urgency", "URGENT", "--until", until, "--as", officer,
        "--key", folder / f"{key}.key", "--passphrase-file", folder / f"{key}.pass", *options,
    )  # fmt: skip


def announce(ch: Registrars, *acceptances: dict[str, Any]) -> CommandResult:
    entry = {
        "state": "CH",
        "announced_at": "2026-01-15T08:00:00Z",
        "authorities": [{"name": "Contact point", "kind": "PROSECUTOR"}],
        "standing_acceptances": list(acceptances),
    }
    Path("entry.yaml").write_text(json.dumps({"entries": [entry]}))
    return ch.call("directory", "announce", "entry.yaml")


def open_writer(ch: Registrars, broker: EmbeddedBroker) -> DirectoryWriter:
    passphrase = read_passphrase_file(ch.ceremony.folder / "online.pass")
    return DirectoryWriter(broker.bootstrap, OnlineKeys.open(ch.ceremony.keys, passphrase))


def read_officers(ch: Registrars, broker: EmbeddedBroker) -> Register:
    keys = OnlineKeys.open(ch.ceremony.keys).get_trusted_keys(time.time_ns() // 1_000_000)
    return read_register(broker.bootstrap, keys)


def test_what_an_officer_accepts_is_announced_and_ends_with_the_officer(ch: Registrars, broker: EmbeddedBroker) -> None:
    result = accept(ch)
    assert result.code == 0, result
    signed = result.json_document
    law = find_law("DE").pack
    texts = {rule.condition.code: rule.condition.text for rule in law.rules if rule.condition is not None}
    assert signed["conditions"] == [
        {"code": code, "text_hash": hash_condition_text(texts[code])} for code in sorted(CODES)
    ]
    assert (signed["from_state"], signed["urgency"], signed["officer"]) == ("DE", ["EMERGENCY", "URGENT"], "o-17")
    assert all(texts[code] in " ".join(result.err.split()) for code in CODES), "the officer reads what is signed"
    altered = announce(ch, {**signed, "offences": ["CORRUPTION", "LAUNDERING"]})
    assert (altered.code, "nothing was announced" in altered.error) == (2, True)
    assert "was altered after o-17 signed it" in altered.error
    announced = announce(ch, signed)
    assert announced.code == 0, announced
    read = partial(read_officers, ch, broker)
    assert open_writer(ch, broker).renew(read) is RenewalResult.NOT_DUE
    assert ch.run("revoke", "o-17").code == 0
    late = announce(ch, signed)
    assert (late.code, "signed by o-17, who is not an officer in force" in late.error) == (2, True)
    writer = open_writer(ch, broker)
    assert writer.renew(read) is RenewalResult.RENEWED, "at once"
    statement = writer.statement
    assert statement is not None
    assert b"de.irg-61a-2-b" not in (statement.content.entry or b"")
    assert open_writer(ch, broker).renew(read) is RenewalResult.NOT_DUE


def test_who_may_not_accept_is_told_why(ch: Registrars) -> None:
    ch.make_key("thief")
    for result, sentence in (
        (accept(ch, officer="o-18"), "o-18 is not an officer of CH"),
        (accept(ch, key="thief"), "the register does not name the key"),
        (accept(ch, "--condition", "de.irg-61a-2-z"), "the law of DE has no condition de.irg-61a-2-z"),
        (accept(ch, "--urgency", "UNKNOWN"), "an unknown one is never accepted beforehand"),
        (accept(ch, days=400), "at most 366 days"),
        (accept(ch, "--since", "yesterday"), "--since yesterday: must be a time with a zone"),
    ):
        assert (result.code, result.out) == (2, ""), result
        assert sentence in result.error


def test_what_cannot_be_checked_is_not_stated(
    ch: Registrars, broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = accept(ch).json_document
    assert announce(ch, signed).code == 0
    writer = open_writer(ch, broker)
    assert writer.renew() is RenewalResult.RENEWED, "there is no register"
    assert writer.statement is not None
    assert b"de.irg-61a-2-b" not in (writer.statement.content.entry or b"")
    for name in ("SHARING_KEY_FOLDER", "SHARING_KEY_PASSPHRASE_FILE", "SHARING_TRUST_FILE"):
        monkeypatch.delenv(name)
    result = announce(ch, signed)
    assert result.code == 2
    assert "has standing acceptances, and cannot be signed without SHARING_KEY_FOLDER" in result.error
