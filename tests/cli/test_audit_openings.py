"""`sharing audit prove --with-content` and `--with-salt`: which content a decision was about, on a broker."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretBytes

from sharing.audit.origins import format_origin
from sharing.interop.entry_proof_file import read_entry_proof
from sharing.model.indicator import Indicator
from sharing.seal.day_secret import SECRET_KEY_PREFIX, wrap_day_secret
from sharing.seal.own_records import OwnRecordSealer
from sharing.serialization.codec import get_codec
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import ACTS, CHECKPOINTS, DECISIONS, DIRECTORY, DRAFTS, GATE_STATE, USES
from tests.audit.audit_fixtures import SECRET, make_content, make_id
from tests.audit.audited_bus import STATES, AuditedBus, prepare_audited_bus
from tests.cli.conftest import Call
from tests.kafka.compressed_batches import damage_records
from tests.kafka.keyed_states import read_now
from tests.kafka.topic_io import fill_defaults, read_records, write_records
from tests.processors.conversation.conversation_driver import make_draft

KEY_ID, WRAPPING_KEY = "c" * 64, SecretBytes(bytes(range(32)))
DRAFTED, WITHHELD = 1, 2
"""The State has a copy of one item, and of the other nothing but the secret of the day."""

DRAFT_KEY = b"0af1/1"


def prepare(broker: EmbeddedBroker, folder: Path) -> AuditedBus:
    """Write the log, the draft of one item, and the secret of the day."""
    topics = [kind.topic("CH") for kind in (DECISIONS, ACTS, CHECKPOINTS, DRAFTS, GATE_STATE, USES)]
    broker.create_topics(topics, 1)
    broker.create_topics([DIRECTORY.topic(state) for state in STATES], 1)
    now = read_now()
    sealer = OwnRecordSealer("CH", secrets.token_bytes)
    sealer.begin_batch(KEY_ID, WRAPPING_KEY, now)
    fields = get_codec("draft").decode(make_draft(1).data)
    own = {"indicator_id": make_id(DRAFTED), "content": make_content(DRAFTED)}
    draft = get_codec("draft").encode({**fields, **own})
    (sealed,), (salt,) = sealer.seal_with_salts("draft", [(DRAFT_KEY, draft)], now)
    bus = prepare_audited_bus(broker, folder, 0, 3, 4, {DRAFTED: salt})
    write_records(broker, DRAFTS.topic("CH"), [sealed], key=DRAFT_KEY)
    write_records(broker, GATE_STATE.topic("CH"), [make_secret(bus)], key=make_key(bus))
    return bus


def find_day(bus: AuditedBus) -> str:
    return datetime.fromtimestamp(bus.decisions.now / 1000, UTC).date().isoformat()


def make_key(bus: AuditedBus) -> bytes:
    return SECRET_KEY_PREFIX + f"{find_day(bus)}/{KEY_ID}".encode()


def make_secret(bus: AuditedBus) -> bytes:
    wrapped = wrap_day_secret(WRAPPING_KEY, format_origin(bus.decisions.place), find_day(bus), SECRET)
    entry = {"day": find_day(bus), "wrapping_key": KEY_ID, "wrapped": wrapped}
    return get_codec("gate_state").encode(fill_defaults("gate_state", {"day_secret": entry}))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditedBus]:
    with EmbeddedBroker() as broker:
        yield prepare(broker, tmp_path_factory.mktemp("log"))


def configure(bus: AuditedBus, monkeypatch: pytest.MonkeyPatch) -> AuditedBus:
    monkeypatch.setenv("SHARING_BOOTSTRAP", bus.broker.bootstrap)
    monkeypatch.setenv("SHARING_TRUST_FILE", str(bus.trust_file))
    monkeypatch.setenv("SHARING_STATE", "CH")
    keys = SimpleNamespace(find_wrapping_key=lambda key_id, _now: {KEY_ID: WRAPPING_KEY}.get(key_id))
    monkeypatch.setattr("sharing.cli.audit.openings.open_configured_keys", lambda _settings: keys)
    return bus


@pytest.fixture
def bus(prepared: AuditedBus, monkeypatch: pytest.MonkeyPatch) -> AuditedBus:
    return configure(prepared, monkeypatch)


def write_item(folder: Path, number: int, **changes: Any) -> Path:
    """Write an item as its agency has published it."""
    fields = json.loads(Indicator.parse(dict(get_codec("indicator").decode(make_content(number)))).to_json())
    file = folder / f"item{number}.json"
    file.write_text(json.dumps({**fields, **changes}))
    return file


def test_a_court_sees_the_content_that_was_decided_on(call: Call, bus: AuditedBus, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    made = call("audit", "prove", make_id(DRAFTED), "--output", proof, "--with-content")
    assert made.code == 0, made
    assert "give it only to those who may see it" in made.err
    checked = call("audit", "check-proof", proof, "--trust-file", bus.trust_file, "--json")
    assert checked.code == 0, checked
    assert checked.json_document["content"]["value"] == "host1.example.org"
    assert any("exactly the content that is shown" in each for each in checked.json_document["proves"])
    assert not any("Which content" in each for each in checked.json_document["does_not_prove"])
    assert "host1.example.org" in call("audit", "check-proof", proof, "--trust-file", bus.trust_file).out
    uses = [get_codec("uses").decode(each.value()) for each in read_records(bus.broker, USES.topic("CH"), 1)]
    assert [(use["command"], use["opened"][0]["item_id"]) for use in uses] == [("audit prove", "0af1")]


def test_the_content_can_be_handed_out_apart_from_the_proof(call: Call, bus: AuditedBus, tmp_path: Path) -> None:
    proof, item = tmp_path / "proof", write_item(tmp_path, DRAFTED)
    assert call("audit", "prove", make_id(DRAFTED), "--output", proof, "--with-salt").code == 0
    opening = read_entry_proof(proof.read_bytes()).opening
    assert opening is not None
    assert opening.content is None
    alone = call("audit", "check-proof", proof, "--trust-file", bus.trust_file, "--json")
    assert (alone.code, alone.json_document["content"]) == (0, None)
    assert any("compare the content" in each for each in alone.json_document["does_not_prove"])
    compared = call("audit", "check-proof", proof, "--trust-file", bus.trust_file, "--content", item)
    assert compared.code == 0
    assert "exactly the content that is shown" in compared.out
    other = write_item(tmp_path, DRAFTED, summary="another")
    refused = call("audit", "check-proof", proof, "--trust-file", bus.trust_file, "--content", other)
    assert refused.code == 1
    assert "was not about this content" in refused.err


def test_of_an_item_without_a_copy_the_content_is_given(call: Call, bus: AuditedBus, tmp_path: Path) -> None:
    proof, item = tmp_path / "proof", write_item(tmp_path, WITHHELD)
    missing = call("audit", "prove", make_id(WITHHELD), "--output", proof, "--with-content")
    assert missing.code == 2
    assert "give the item with --content FILE" in missing.error
    made = call("audit", "prove", make_id(WITHHELD), "--output", proof, "--with-content", "--content", item)
    assert made.code == 0, made
    checked = call("audit", "check-proof", proof, "--trust-file", bus.trust_file, "--json")
    assert checked.json_document["content"]["value"] == "host2.example.org"
    for number, sentence in ((DRAFTED, "about content other than what you gave"), (WITHHELD, "about other content")):
        other = write_item(tmp_path, number, summary="another")
        wrong = call("audit", "prove", make_id(number), "--output", tmp_path / "no", "--with-salt", "--content", other)
        assert wrong.code == 2
        assert sentence in wrong.error
    assert not (tmp_path / "no").exists()


def test_a_proof_without_it_says_that_it_does_not_show_the_content(call: Call, bus: AuditedBus, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    assert call("audit", "prove", make_id(DRAFTED), "--output", proof).code == 0
    shown = call("audit", "check-proof", proof, "--trust-file", bus.trust_file)
    assert "nobody can guess it from the file" in shown.out
    item = write_item(tmp_path, DRAFTED)
    compared = call("audit", "check-proof", proof, "--trust-file", bus.trust_file, "--content", item)
    assert compared.code == 1
    assert "does not have the salt" in compared.err


def test_options_that_do_not_go_together(
    call: Call, bus: AuditedBus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof, item = tmp_path / "proof", write_item(tmp_path, DRAFTED)

    def fail(*options: str | Path) -> str:
        result = call("audit", "prove", make_id(DRAFTED), "--output", proof, *options)
        assert result.code == 2
        return result.error

    assert "not both" in fail("--with-content", "--with-salt")
    assert "--content needs" in fail("--content", item)
    assert "only a decision is bound to a content" in fail("--with-salt", "--of", "act")
    assert "cannot be read" in fail("--with-salt", "--content", tmp_path / "missing")
    item.write_text("nothing")
    assert "is not valid JSON" in fail("--with-salt", "--content", item)
    monkeypatch.setattr("sharing.cli.audit.openings.open_configured_keys", lambda _settings: None)
    assert "SHARING_KEY_FOLDER is not set" in fail("--with-salt")
    assert not proof.exists()


def prepare_shredded(broker: EmbeddedBroker, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AuditedBus:
    """Return a log of which the copies of two items were deleted."""
    bus = configure(prepare(broker, folder), monkeypatch)
    write_records(broker, DRAFTS.topic("CH"), [None], key=DRAFT_KEY)
    write_records(broker, GATE_STATE.topic("CH"), [None], key=make_key(bus))
    return bus


def test_what_was_shredded_leaves_a_log_that_is_whole_and_confirms_no_guess(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EmbeddedBroker() as broker:
        bus = prepare_shredded(broker, tmp_path / "log", monkeypatch)
        verified = call("audit", "verify", "--json")
        assert (verified.code, verified.json_document["ok"], verified.json_document["records"]) == (0, True, 24)
        for number in (DRAFTED, WITHHELD):
            guess = write_item(tmp_path, number)
            assert call("audit", "prove", make_id(number), "--output", tmp_path / f"{number}.proof").code == 0
            for options in (("--with-content",), ("--with-salt", "--content", guess)):
                refused = call("audit", "prove", make_id(number), "--output", tmp_path / "no", *options)
                assert refused.code == 2
                assert "was deleted" in refused.error
        assert not (tmp_path / "no").exists()
        shown = call("audit", "check-proof", tmp_path / f"{DRAFTED}.proof", "--trust-file", bus.trust_file)
        assert shown.code == 0


def test_a_copy_is_not_shown_whose_deletion_may_be_in_what_cannot_be_read(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EmbeddedBroker() as broker:
        prepare_shredded(broker, tmp_path / "log", monkeypatch)
        for number, kind in ((DRAFTED, DRAFTS), (WITHHELD, GATE_STATE)):
            with monkeypatch.context() as patch:
                damage_records(patch, kind.topic("CH"), 1)
                options = ("--with-salt", "--content", write_item(tmp_path, number))
                refused = call("audit", "prove", make_id(number), "--output", tmp_path / "no", *options)
            assert (refused.code, "may have been deleted" in refused.error) == (3, True), refused
        assert not (tmp_path / "no").exists()


def test_checkpoints_that_cannot_be_read_are_named(
    call: Call, bus: AuditedBus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic, options = CHECKPOINTS.topic("CH"), ("audit", "prove", make_id(DRAFTED), "--json", "--output")
    assert call(*options, tmp_path / "whole").code == 0
    last = len(read_records(bus.broker, topic, 1)) - 1
    damage_records(monkeypatch, topic, last)
    proved = call(*options, tmp_path / "proof")
    assert (proved.code, proved.json_document["item"]) == (1, make_id(DRAFTED)), proved
    assert proved.err.count(f"unreadable: {topic}[0]@{last}: ") == 1
    assert "or one that contradicts this one" in proved.err
    damage_records(monkeypatch, topic, *range(last + 1))
    refused = call(*options, tmp_path / "none")
    assert (refused.code, f"{topic}[0]@0: " in refused.err, "no checkpoint of" in refused.error) == (2, True, True)
    assert not (tmp_path / "none").exists()
