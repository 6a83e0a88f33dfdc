"""`sharing publish`: every part of every file is published or listed, or nothing is published."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import uuid
from collections import Counter
from importlib import import_module
from importlib.resources import as_file
from pathlib import Path
from typing import Any

import pytest

from sharing.clients.publisher import Publisher
from sharing.kafka.directory_topic import announce_entry, parse_entries
from sharing.serialization.codec import get_codec
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.samples import (
    sample_directory,
    sample_file,
    sample_files,
    sample_profile,
    sample_stix_file,
    sample_stix_files,
)
from sharing.topology.topics import INDICATORS
from tests.cli.conftest import Call
from tests.interop.stix_fixtures import make_bundle, make_indicator, make_object
from tests.kafka.topic_io import read_records

COMMAND = import_module("sharing.cli.publish")  # the attribute of the package is the command, not the module
SENDING = import_module("sharing.cli.publish.sending")
CH = ("--state", "CH", "--agency", "fedpol")
ITEM: dict[str, Any] = {
    "type": "domain-name",
    "value": "update-check[.]example.nl",
    "source": {"authority": "POLICE"},
    "form": "INFORMATION",
    "offence": {"codes": ["ILLEGAL_ACCESS"], "max_penalty_years": 3},
    "collection": "OPEN_SOURCE",
    "purpose": "DETECTION",
    "secrecy_domain": False,
    "personal_data": False,
    "live_case_harm": False,
    "character": [],
    "nexus": [{"state": "NL", "reason": "hosted there"}],
}


def write_lines(name: str, *lines: dict[str, Any] | str) -> Path:
    path = Path(name)
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def make_items(count: int) -> list[dict[str, Any]]:
    return [{**ITEM, "value": f"host{number}.example.nl"} for number in range(count)]


def read_published_values(bus: EmbeddedBroker) -> list[str]:
    records = (get_codec("indicator").decode(message.value()) for message in read_records(bus, INDICATORS.topic("CH")))
    return sorted(record["value"] for record in records)


def is_accounted_for(document: dict[str, Any]) -> bool:
    return bool(document["read"] == document["published"] + len(document["not_published"]))


@pytest.fixture
def announced(bus: EmbeddedBroker) -> EmbeddedBroker:
    """A bus whose directory has the entries of the sample."""
    for entry in parse_entries(*sample_directory()):
        announce_entry(bus.bootstrap, entry)
    return bus


@pytest.mark.parametrize("name", sample_files())
def test_a_dry_run_of_each_sample_accounts_for_everything(call: Call, name: str) -> None:
    with as_file(sample_file(name)) as event, as_file(sample_profile("CH")) as profile:
        result = call("publish", event, *CH, "--profile", profile, "--dry-run", "--json")
    assert result.code == 0
    document = result.json_document
    assert is_accounted_for(document)
    assert document["published"] > 0
    assert document["files"] == [str(event)]
    for entry in document["not_published"]:
        assert entry["file"] == str(event)
        assert entry["place"]
        assert entry["reason"]
    for counts in document["recipients"].values():
        assert set(counts) <= {"DISCLOSE", "OFFER", "HOLD", "WITHHOLD"}
        assert sum(counts.values()) <= document["published"]


@pytest.mark.parametrize("name", sample_stix_files())
def test_a_dry_run_of_each_stix_sample_accounts_for_everything(call: Call, name: str) -> None:
    with as_file(sample_stix_file(name)) as bundle, as_file(sample_profile("CH")) as profile:
        result = call("publish", bundle, *CH, "--profile", profile, "--dry-run", "--json")
    document = result.json_document
    assert (result.code, document["read"]) == (0, len(document["not_published"]) + document["published"])
    assert all(entry["place"].startswith("/objects/") and entry["reason"] for entry in document["not_published"])
    if document["published"]:
        assert set(document["recipients"]) == {"DE", "NL"}


def test_a_stix_bundle_is_published_with_the_same_ids_each_time(call: Call, announced: EmbeddedBroker) -> None:
    old, new = (make_indicator(f"[url:value = 'http://{name}.example/']", modified=at) for name, at in STIX_VERSIONS)
    bundle = make_bundle(old, new, make_indicator("[url:value = 'x", 2), make_object("malware"))
    Path("bundle.json").write_text(json.dumps(bundle))
    first, second = (call("publish", "bundle.json", *CH, "--json") for _ in range(2))
    assert (first.code, second.code) == (0, 0)  # nothing in it is for the agency to correct
    assert first.json_document["ids"] == second.json_document["ids"] != []
    assert [entry["place"] for entry in first.json_document["not_published"]] == [
        "/objects/0",
        "/objects/2/pattern",
        "/objects/3",
    ]
    assert read_published_values(announced) == ["http://new.example/"] * 2


STIX_VERSIONS = (("old", "2026-03-01T12:00:00Z"), ("new", "2026-03-02T12:00:00Z"))


def test_a_dry_run_prints_who_would_get_what_and_why(call: Call) -> None:
    file = write_lines("items.jsonl", ITEM, {**ITEM, "value": "a.example.de", "secrecy_domain": None})
    result = call("publish", file, *CH, "--dry-run")
    assert result.code == 0
    assert "2 read, 2 would be published, 0 not published" in result.out
    rows = [line.split("\t") for line in result.out.splitlines()]
    assert ["NL", "it is sent (DISCLOSE)", "1"] in [row[:3] for row in rows]
    assert "sample directory" in result.err
    assert "`sharing law questions` asks only for those that can change an outcome" in result.err
    complete = call("publish", write_lines("complete.jsonl", ITEM), *CH, "--dry-run")
    assert "missing" not in complete.out + complete.err


def test_with_a_trust_file_nothing_is_published_unsealed(
    call: Call, announced: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("trust.yaml").write_text("format: 1\nroots: []\n")
    monkeypatch.setenv("SHARING_TRUST_FILE", "trust.yaml")
    file = write_lines("items.jsonl", *make_items(2))
    before = len(read_records(announced, INDICATORS.topic("CH")))
    refused = call("publish", file, *CH)
    assert refused.code == 2
    assert "the root of CH is not pinned, so nothing can be sealed to its gate" in refused.err
    assert "--no-seal" in refused.err
    assert len(read_records(announced, INDICATORS.topic("CH"))) == before
    assert call("publish", file, *CH, "--no-seal").code == 0
    monkeypatch.setenv("SHARING_SEAL_TO_WORKER", "false")
    assert call("publish", file, *CH).code == 0
    assert len(read_records(announced, INDICATORS.topic("CH"))) == before + 4


def test_published_indicators_are_on_the_bus(call: Call, announced: EmbeddedBroker) -> None:
    file = write_lines("items.jsonl", *make_items(3), {**ITEM, "source": {"state": "DE"}}, "", '{"type": "domain-name"')
    result = call("publish", file, *CH, "--json")
    assert result.code == 1
    document = result.json_document
    assert is_accounted_for(document)
    assert (document["read"], document["published"]) == (5, 3)
    keys = [(message.key() or b"").decode() for message in read_records(announced, INDICATORS.topic("CH"))]
    assert sorted(document["ids"]) == sorted(keys)
    assert {entry["place"] for entry in document["not_published"]} == {"4", "6"}
    assert document["recipients"]["NL"] == 3
    assert read_published_values(announced) == [f"host{number}.example.nl" for number in range(3)]
    text = call("publish", file, *CH)
    assert "5 read, 3 published, 2 not published" in text.out
    assert "OTHER_STATE" in text.out


def test_the_directory_of_the_bus_is_used_if_a_broker_is_configured(
    call: Call, bus: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("d.yaml").write_text(
        "entries:\n- {state: NL, announced_at: '2026-01-01T00:00:00Z', authorities: [{name: x, kind: POLICE}]}\n"
    )
    assert call("directory", "announce", "d.yaml").code == 0
    file = write_lines("items.jsonl", ITEM)
    result = call("publish", file, *CH, "--dry-run", "--json")
    assert result.json_document["recipients"] == {"NL": {"DISCLOSE": 1}}
    assert result.err == ""
    monkeypatch.delenv("SHARING_BOOTSTRAP")
    assert "sample directory" in call("publish", file, *CH, "--dry-run").err
    result = call("publish", file, *CH, "--dry-run", "--directory", "d.yaml", "--json")
    assert (result.json_document["recipients"], result.err) == ({"NL": {"DISCLOSE": 1}}, "")
    assert read_published_values(bus) == []


def test_ip_addresses_are_located_as_in_the_gate(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    item = {**ITEM, "type": "ipv4-addr", "value": "198.51.100.23", "nexus": [], "offence": {"codes": ["COPYRIGHT"]}}
    assert call("publish", write_lines("i.jsonl", item), *CH, "--dry-run", "--json").json_document["recipients"] == {}
    monkeypatch.setenv("SHARING_GEOIP", "any.mmdb")
    monkeypatch.setattr(COMMAND, "open_geoip_lookup", lambda _: lambda _: "NL")
    assert set(call("publish", "i.jsonl", *CH, "--dry-run", "--json").json_document["recipients"]) == {"NL"}


def test_ids_of_items_in_files_are_the_same_each_time_and_not_those_of_the_feed(
    call: Call, announced: EmbeddedBroker
) -> None:
    uuids = [str(uuid.uuid4()) for _ in range(2)]
    attributes = [
        {"type": "domain", "value": f"{number}.example.nl", "to_ids": True, "uuid": misp_uuid}
        for number, misp_uuid in enumerate(uuids)
    ]
    event = Path("event.json")
    event.write_text(json.dumps({"Event": {"info": "x", "Attribute": attributes}}))
    lines = write_lines("items.jsonl", *make_items(2), {**ITEM, "id": "018f3c1e-7b1a-7c3d-8e2f-0123456789ab"})
    for _ in range(2):
        assert call("publish", event, lines, *CH, "--json").json_document["published"] == 5
    keys = [(message.key() or b"").decode() for message in read_records(announced, INDICATORS.topic("CH"))]
    assert set(Counter(keys).values()) == {2}
    assert len(set(keys)) == 5
    assert not set(keys) & set(uuids)
    assert "018f3c1e-7b1a-7c3d-8e2f-0123456789ab" in keys  # an id that the agency gave is kept


@pytest.mark.parametrize("name", ["event.json", "bundle.json", "items.jsonl"])
def test_without_a_secret_items_that_need_an_id_are_not_published(
    call: Call, announced: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv("SHARING_ID_SECRET_FILE")
    write_lines("items.jsonl", ITEM)
    Path("event.json").write_text(
        json.dumps({"Event": {"Attribute": [{"type": "domain", "value": "a.example.nl", "to_ids": True}]}})
    )
    Path("bundle.json").write_text(json.dumps(make_bundle(make_indicator())))
    with_ids = write_lines("with-ids.jsonl", {**ITEM, "id": "018f3c1e-7b1a-7c3d-8e2f-0123456789ab"})
    result = call("publish", with_ids, name, *CH, "--keep-going", "--json")
    assert (result.code, result.out) == (2, "")
    assert "SHARING_ID_SECRET_FILE is not set" in result.error
    assert "openssl rand -hex 32 > FILE; chmod 600 FILE" in result.error
    assert read_published_values(announced) == []
    assert call("publish", name, *CH, "--dry-run", "--json").json_document["published"] == 1
    assert call("publish", with_ids, *CH, "--json").json_document["published"] == 1  # it needs none


def test_a_secret_that_others_may_read_is_refused(
    call: Call, announced: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    del announced
    secret = Path("secret")
    secret.write_bytes(bytes(range(32)))
    secret.chmod(0o644)
    monkeypatch.setenv("SHARING_ID_SECRET_FILE", "secret")
    result = call("publish", write_lines("items.jsonl", ITEM), *CH)
    assert (result.code, result.out) == (2, "")
    assert "other users may access secret; restrict it with `chmod 600 secret`" in result.error


def test_a_file_with_another_content_under_one_id_and_version_is_refused(call: Call, announced: EmbeddedBroker) -> None:
    identity = "018f3c1e-7b1a-7c3d-8e2f-0123456789ab"
    file = write_lines("items.jsonl", {**ITEM, "id": identity}, *make_items(1), {**make_items(2)[1], "id": identity})
    result = call("publish", file, *CH, "--json")
    assert (result.code, result.out) == (2, "")
    assert "items.jsonl: line 3 has the id and version of line 1, and another content" in result.error
    assert read_published_values(announced) == []


BAD_FILES = {
    "binary.bin": b"\x00\x01\x02\x03",
    "broken.json": b'{"Event": {"Attribute": [',
    "other.json": b'{"some": "thing"}',
    "utf16.jsonl": '{"type": "domain-name"}'.encode("utf-16"),
    "empty.jsonl": b"",
    "deep.json": b"[" * 100_000,
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_cannot_be_read_publishes_nothing(call: Call, announced: EmbeddedBroker, name: str) -> None:
    good = write_lines("good.jsonl", *make_items(2))
    Path(name).write_bytes(BAD_FILES[name])
    result = call("publish", good, name, *CH, "--json")
    assert (result.code, result.out) == (2, "")
    assert result.error.startswith(f"{name}: ")
    assert read_published_values(announced) == []


def test_keep_going_publishes_the_other_files(call: Call, announced: EmbeddedBroker, empty_folder: Path) -> None:
    good, last = (
        write_lines("good.jsonl", *make_items(2)),
        write_lines("last.jsonl", {**ITEM, "value": "last.example.nl"}),
    )
    Path("binary.bin").write_bytes(b"PNG\x00\x01\x02")
    result = call("publish", good, "binary.bin", "nowhere.jsonl", empty_folder, last, *CH, "--keep-going", "--json")
    assert result.code == 2
    document = result.json_document
    assert is_accounted_for(document)
    assert (document["published"], document["files"]) == (3, ["good.jsonl", "last.jsonl"])
    for name in ("binary.bin: is binary", "nowhere.jsonl: cannot be read", f"{empty_folder}: is a directory"):
        assert f"not read: {name}" in result.err
    assert read_published_values(announced) == ["host0.example.nl", "host1.example.nl", "last.example.nl"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("nowhere.jsonl", *CH, "--dry-run"), 2, "nowhere.jsonl: cannot be read (No such file or directory)"),
        (("items.jsonl", "--state", "Switzerland!", "--agency", "a"), 2, "ISO 3166-1"),
        (("items.jsonl", "--state", "CH", "--agency", ""), 2, "the agency must be a text of 1 to 512 characters"),
        (("items.jsonl", "--state", "BR", "--agency", "a"), 2, "there is no law pack for BR"),
        (
            ("items.jsonl", *CH, "--format", "stix", "--dry-run"),
            2,
            "items.jsonl: is JSON, but contains neither a MISP event nor a STIX object",
        ),
        (("items.jsonl", *CH, "--format", "misp", "--dry-run"), 2, "items.jsonl: "),
        (("items.jsonl", *CH, "--profile", "nowhere.yaml"), 2, "nowhere.yaml: cannot be read"),
        (("items.jsonl", *CH, "--profile", "items.jsonl"), 2, "items.jsonl"),
        (("items.jsonl", *CH, "--directory", "d.yaml"), 2, "--directory needs --dry-run"),
        (("items.jsonl", *CH, "--dry-run", "--directory", "nowhere.yaml"), 2, "nowhere.yaml: cannot be read"),
        (("items.jsonl", *CH), 2, "no broker is configured"),
        (("items.jsonl", *CH, "--bootstrap", "127.0.0.1:1"), 3, "no broker answers at 127.0.0.1:1"),
        (("items.jsonl", *CH, "--dry-run", "--bootstrap", "127.0.0.1:1"), 3, "no broker answers at 127.0.0.1:1"),
    ],
)
@pytest.mark.usefixtures("short_connect_timeout")
def test_an_error_is_one_message(call: Call, arguments: tuple[str, ...], code: int, message: str) -> None:
    write_lines("items.jsonl", ITEM)
    result = call("publish", *arguments, "--json")
    assert (result.code, result.out) == (code, "")
    assert message in result.error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("items.jsonl", *CH, "--dryrun"), "--dryrun"),
        (("items.jsonl", *CH, "--format", "csv"), "csv"),
        (("items.jsonl", "--agency", "a"), "--state"),
        (CH, "FILE"),
    ],
)
def test_wrong_usage_names_the_argument(call: Call, arguments: tuple[str, ...], message: str) -> None:
    write_lines("items.jsonl", ITEM)
    result = call("publish", *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert "Traceback" not in result.err


def test_a_missing_topic_is_reported(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddedBroker() as broker:
        broker.create_topics(["directory.ch"], 1)
        result = call("publish", write_lines("items.jsonl", ITEM), *CH, "--bootstrap", broker.bootstrap, "--json")
    assert (result.code, result.out) == (3, "")
    assert "national.ch.indicators: does not exist" in result.error
    assert "`sharing topics apply --states CH`" in result.error


def test_a_missing_directory_topic_is_reported_before_anything_is_published(call: Call) -> None:
    """Reported afterwards, it would look as if publishing had failed, and people would publish again."""
    with EmbeddedBroker() as broker:
        broker.create_topics([INDICATORS.topic("CH")], 2)
        result = call("publish", write_lines("items.jsonl", ITEM), *CH, "--bootstrap", broker.bootstrap, "--json")
        assert (result.code, result.out) == (3, "")
        assert "directory.<st>: no State has this topic" in result.error
        assert read_published_values(broker) == []


def test_unconfirmed_indicators_are_listed_with_their_ids(
    call: Call, announced: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unplugged(Publisher):
        """Confirms two indicators; then the network fails."""

        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self.count = 0

        def publish(self, indicator: Any) -> str:
            self.count += 1
            if self.count == 3:
                self.flush()
                announced.interrupt()
                self._timeout_s = 0.5  # for what cannot be confirmed any more
            return super().publish(indicator)

    monkeypatch.setattr(SENDING, "Publisher", Unplugged)
    file = write_lines("items.jsonl", *make_items(4), "not JSON")
    result = call("publish", file, *CH, "--json")
    assert result.code == 3
    document = result.json_document
    assert is_accounted_for(document)
    assert (document["read"], document["published"], document["recipients"]["NL"]) == (5, 2, 2)
    assert [entry["place"] for entry in document["not_published"]] == ["5", "3", "4"]
    assert "publish it again with the id " in document["not_published"][-1]["reason"]
    assert "2 indicators are not confirmed by the broker" in result.error
    announced.resume()
    assert read_published_values(announced)[:2] == ["host0.example.nl", "host1.example.nl"]


def test_file_names_and_reasons_are_printed_verbatim(call: Call) -> None:
    file = write_lines("a [b] :key:.jsonl", ITEM, {**ITEM, "nexus": [{"state": "NL"}], "value": "b.example.nl"})
    result = call("publish", file, *CH, "--dry-run")
    assert "a [b] :key:.jsonl 2: nexus[0].reason: is missing" in result.out
    assert "\x1b" not in result.out


@pytest.mark.parametrize("width", ["80", "140"])
def test_output_fits_the_terminal(call: Call, monkeypatch: pytest.MonkeyPatch, width: str) -> None:
    monkeypatch.setenv("COLUMNS", width)
    with as_file(sample_file(sample_files()[0])) as event, as_file(sample_profile("CH")) as profile:
        result = call("publish", event, *CH, "--profile", profile, "--dry-run")
    assert max(map(len, result.out.splitlines())) <= int(width)
    assert "…" not in result.out  # nothing is truncated


def test_lines_are_not_wrapped_in_a_pipe(call: Call) -> None:
    item = {**ITEM, "secrecy_domain": None, "personal_data": None, "live_case_harm": None, "purpose": None}
    result = call("publish", write_lines("items.jsonl", item), *CH, "--dry-run")
    row = next(line for line in result.out.splitlines() if line.startswith("NL"))
    assert "secrecy_domain" in row
    assert "live_case_harm" in row


def test_emergencies_without_an_officer_or_a_reason_are_warned_of(call: Call) -> None:
    """They are published all the same."""
    named = {"authority": "POLICE", "officer": "o-1"}
    emergencies: list[dict[str, Any]] = [
        {"urgency": "EMERGENCY", "urgency_reason": "a child is missing", "source": named},
        {"urgency": "EMERGENCY", "source": named},
        {"urgency": "EMERGENCY", "urgency_reason": "a child is missing"},
        {"urgency": "URGENT"},
    ]
    file = write_lines(
        "items.jsonl", *({**item, **more} for item, more in zip(make_items(4), emergencies, strict=True))
    )
    result = call("publish", file, *CH, "--dry-run", "--json")
    assert result.code == 0
    (warning,) = (line for line in result.err.splitlines() if line.startswith("warning: "))
    assert "decided as ORDINARY" in warning
    assert "source.officer and urgency_reason" in warning
    assert warning.endswith("items.jsonl 2, items.jsonl 3")
    assert json.loads(result.out)["published"] == 4


def test_the_state_and_the_agency_may_come_from_the_settings(
    call: Call, announced: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_lines("items.jsonl", ITEM)
    for name in ("state", "agency"):
        missing = call("publish", file, *(("--state", "CH") if name == "agency" else ()))
        assert (missing.code, missing.out) == (2, "")
        assert f"--{name} is missing; give it, or set SHARING_{name.upper()}" in missing.error
    monkeypatch.setenv("SHARING_STATE", "CH")
    monkeypatch.setenv("SHARING_AGENCY", "fedpol")
    assert call("publish", file, "--quiet").out == "1 read, 1 published, 0 not published\n"
    assert read_published_values(announced) == ["update-check.example.nl"]


def test_a_wrong_state_is_named_with_its_option(call: Call) -> None:
    result = call("publish", write_lines("items.jsonl", ITEM), "--state", "ZZ", "--agency", "a", "--dry-run")
    assert (result.code, result.out) == (2, "")
    assert result.error.startswith("--state ZZ: must be an ISO 3166-1 alpha-2 country code")


def test_what_the_publisher_refuses_does_not_keep_the_others_back(call: Call, bus: EmbeddedBroker) -> None:
    """Behind access control an agency has a topic of its own, and may publish for itself only."""
    for entry in parse_entries(*sample_directory()):
        announce_entry(bus.bootstrap, entry)
    bus.create_topics([INDICATORS.topic("CH", "fedpol")], 2)
    items = make_items(5)
    items[2]["source"] = {**ITEM["source"], "agency": "customs"}
    result = call("publish", write_lines("items.jsonl", *items), *CH, "--json")
    assert result.code == 1
    document = result.json_document
    assert is_accounted_for(document)
    assert (document["published"], document["recipients"]["NL"]) == (4, 4)
    (refused,) = document["not_published"]
    assert refused["place"] == "3"
    assert "source.agency: this publisher publishes for fedpol only" in refused["reason"]
    assert len(read_records(bus, INDICATORS.topic("CH", "fedpol"))) == 4


@pytest.mark.parametrize("signals", [1, 2])
def test_an_interrupted_run_reports_what_is_confirmed(
    call: Call, announced: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch, signals: int
) -> None:
    class Interrupted(Publisher):
        """Receives SIGINT while it publishes the third indicator, and perhaps again while it waits."""

        count = 0

        def publish(self, indicator: Any) -> str:
            self.count += 1
            if self.count == 3:
                raise SystemExit(130)
            return super().publish(indicator)

        def flush(self) -> None:
            super().flush()
            if signals == 2:
                raise SystemExit(130)

    monkeypatch.setattr(SENDING, "Publisher", Interrupted)
    result = call("publish", write_lines("items.jsonl", *make_items(4)), *CH, "--json")
    assert result.code == 130
    document = result.json_document
    assert is_accounted_for(document)
    confirmed = 2 if signals == 1 else 0
    assert document["published"] == len(document["ids"]) == confirmed
    assert f"interrupted: {confirmed} confirmed, {4 - confirmed} not confirmed; publish the same files" in result.err
    monkeypatch.setattr(SENDING, "Publisher", Publisher)
    again = call("publish", "items.jsonl", *CH, "--json").json_document
    assert again["published"] == 4
    assert again["ids"][:confirmed] == document["ids"]


@pytest.mark.parametrize("cut", [False, True])
def test_indicators_are_read_from_a_pipe(announced: EmbeddedBroker, *, cut: bool) -> None:
    """A pipe that ends in the middle of a line loses that line only, and says so."""
    text = "".join(json.dumps(item) + "\n" for item in make_items(3))
    result = subprocess.run(
        [sys.executable, "-m", "sharing", "publish", "-", *CH, "--json"],
        input=text[: -20 if cut else None].encode(), capture_output=True, timeout=240, check=False,
    )  # fmt: skip
    document = json.loads(result.stdout)
    assert (result.returncode, document["published"]) == ((1, 2) if cut else (0, 3)), result.stderr
    assert [entry["place"] for entry in document["not_published"]] == (["3"] if cut else [])
    assert document["files"] == ["-"]
    assert len(read_published_values(announced)) == document["published"]


def test_with_new_ids_each_line_is_an_item_of_its_own(
    call: Call, announced: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_lines("items.jsonl", ITEM, ITEM)
    once, again = (call("publish", file, *CH, "--json").json_document["ids"] for _ in range(2))
    assert once == again
    monkeypatch.delenv("SHARING_ID_SECRET_FILE")
    both = [call("publish", file, *CH, "--new-ids", "--json").json_document["ids"] for _ in range(2)]
    assert len({*once, *both[0], *both[1]}) == 6
    assert len(read_published_values(announced)) == 8


def test_a_version_after_a_higher_one_is_refused(call: Call, announced: EmbeddedBroker) -> None:
    item = {**ITEM, "id": "018f3c1e-7b1a-7c3d-8e2f-0123456789ab"}
    versions = [{**item, "version": number, "action": "SUPERSEDE"} for number in (2, 3)]
    first = write_lines("first.jsonl", versions[1])
    second = write_lines("second.jsonl", item, versions[0], versions[1])
    result = call("publish", first, second, *CH, "--json")
    assert result.code == 1
    reasons = {entry["place"]: entry["reason"] for entry in result.json_document["not_published"]}
    assert "line 1 in first.jsonl has version 3 of the item" in reasons["1"]
    assert set(reasons) == {"1", "2", "3"}  # the third is a repetition
    assert call("publish", first, *CH).code == 0
    assert len(read_published_values(announced)) == 2


@pytest.mark.parametrize("form", ["--json", "--quiet"])
def test_a_full_disk_is_reported_with_what_is_published(announced: EmbeddedBroker, form: str) -> None:
    file = write_lines("items.jsonl", *make_items(2))
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "sharing", "publish", file, *CH, form],
            stdout=full, stderr=subprocess.PIPE, timeout=240, check=False,
        )  # fmt: skip
    message = result.stderr.decode()
    assert result.returncode == 3
    assert "the report cannot be written (No space left on device); published: 2 of 2" in message
    assert len(read_published_values(announced)) == 2


def test_the_checked_items_need_a_folder_for_temporary_files(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    result = call("publish", write_lines("items.jsonl", ITEM), *CH, "--dry-run")
    assert (result.code, result.out) == (3, "")
    assert "cannot be buffered in " in result.error
    assert result.err.endswith("set TMPDIR to another folder\n0 confirmed; this run has published nothing\n")


def test_what_is_sent_is_what_was_checked(
    call: Call, announced: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that changes after it was checked has no effect on the run."""
    file = write_lines("items.jsonl", *make_items(2))

    class Changing(Publisher):
        """Changes the file before it publishes."""

        def publish(self, indicator: Any) -> str:
            file.write_text("changed\n")
            return super().publish(indicator)

    monkeypatch.setattr(SENDING, "Publisher", Changing)
    assert call("publish", file, *CH, "--json").json_document["published"] == 2
    assert read_published_values(announced) == ["host0.example.nl", "host1.example.nl"]


def test_a_file_with_a_fault_at_its_end_leaves_nothing_of_it(call: Call, announced: EmbeddedBroker) -> None:
    """What was read of a file before it turned out to be unreadable is not published with `--keep-going`."""
    good = write_lines("good.jsonl", *make_items(1))
    conflict = [{**ITEM, "id": "018f3c1e-7b1a-7c3d-8e2f-0123456789ab", "value": f"{end}.example.nl"} for end in "ab"]
    bad = write_lines("bad.jsonl", {**ITEM, "value": "lost.example.nl"}, "broken", *conflict)
    result = call("publish", good, bad, *CH, "--keep-going", "--json")
    document = result.json_document
    assert (result.code, document["files"], document["published"], document["read"]) == (2, ["good.jsonl"], 1, 1)
    assert read_published_values(announced) == ["host0.example.nl"]


@pytest.mark.parametrize("servers", ["127.0.0.1:99999", "127.0.0.1:0", "broker:9092,", ":9092", "http://a:9092", ""])
def test_wrong_servers_are_named_with_the_option(call: Call, servers: str) -> None:
    result = call("publish", write_lines("items.jsonl", ITEM), *CH, "--bootstrap", servers)
    assert (result.code, result.out) == (2, "")
    assert f"--bootstrap {servers!r}: must be HOST:PORT, with a port from 1 to 65535" in result.error
