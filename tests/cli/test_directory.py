"""`sharing directory`: announcing and showing entries, and errors."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sharing.cli.shared import clock_comparison
from sharing.kafka.broker_clock import ClockReading
from sharing.kafka.directory_topic import announce_entry, parse_entries
from sharing.model.times import format_time
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.secure_kafka import SecureKafka
from sharing.testing.samples import sample_directory
from sharing.topology.topics import NOTICES
from tests.cli.conftest import Call, CommandResult
from tests.kafka.directory_fixtures import encode, make_entry, write_to_directory
from tests.kafka.keyed_states import PASSPHRASE, KeyedState

EMPTY_VERSION = "e3b0c44298fc1c149afbf4c8996fb924"

NL = """\
entries:
- state: NL
  announced_at: "2026-01-15T08:00:00Z"
  valid_until: "2027-01-01T00:00:00Z"
  authorities:
  - name: "National unit [sample]"
    kind: POLICE
    contact_points:
    - {name: Contact point, hours: 24/7, languages: [nl, en], email: spoc@nl.example}
  - {name: Reporting office, kind: FIU, competence: {offences: [LAUNDERING], from: [FIU]}}
  interests:
  - {id: nl-hosting, types: [ipv4-addr, domain-name]}
- state: CH
  announced_at: "2026-01-15T08:00:00Z"
  authorities: [{name: Federal contact point, kind: PROSECUTOR}]
"""


def test_announced_entries_are_shown(call: Call, bus: EmbeddedBroker) -> None:
    Path("d.yaml").write_text(NL)
    document = call("directory", "show", "--json").json_document
    assert document == {"version": EMPTY_VERSION, "entries": [], "unreadable": {}, "unconfirmed": {}}
    bus.create_topics([NOTICES.topic("CH")], 1)
    result = call("directory", "announce", "d.yaml")
    assert (result.code, result.out) == (0, "")
    announced, limit = result.err.splitlines()
    assert announced == "announced: NL, CH"
    assert limit.startswith("in effect within seconds; after another change in the last 60 s, by 20")
    document = call("directory", "show", "--json").json_document
    version = document["version"]
    assert version != EMPTY_VERSION
    ch, nl = document["entries"]
    assert (ch["state"], ch["authorities"][0]["kind"]) == ("CH", "PROSECUTOR")
    assert nl["authorities"][0]["contact_points"][0]["email"] == "spoc@nl.example"
    assert nl["authorities"][1]["competence"] == {"offences": ["LAUNDERING"], "from": ["FIU"]}
    assert nl["interests"][0]["types"] == ["ipv4-addr", "domain-name"]
    result = call("directory", "show")
    assert "National unit [sample] (POLICE)" in result.out
    assert "Contact point (24/7)" in result.out
    assert "2027-01-01 00:00Z" in result.out
    assert result.err == f"version {version}\n"


def test_show_says_which_topics_cannot_be_read(call: Call, bus: EmbeddedBroker) -> None:
    write_to_directory(bus, "DE", b"junk")
    announce_entry(bus.bootstrap, make_entry("NL"))
    result = call("directory", "show")
    assert result.code == 0
    assert "directory.de cannot be read (INVALID_RECORD): DE has no entry, and receives nothing" in result.err
    document = call("directory", "show", "--json").json_document
    assert [entry["state"] for entry in document["entries"]] == ["NL"]
    assert document["unreadable"] == {"DE": "INVALID_RECORD"}


def test_with_a_key_folder_an_entry_is_signed_and_its_removal_stays(
    call: Call, bus: EmbeddedBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nl = KeyedState("NL", tmp_path / "keys")
    Path("d.yaml").write_text(NL)
    bus.create_topics([NOTICES.topic("CH")], 1)
    monkeypatch.setenv("SHARING_KEY_FOLDER", str(nl.folder.path))
    monkeypatch.setenv("SHARING_TRUST_FILE", "trust.yaml")
    assert "set SHARING_KEY_PASSPHRASE_FILE" in call("directory", "announce", "d.yaml", "--state", "NL").error
    Path("pass").write_text(PASSPHRASE.get_secret_value())
    Path("pass").chmod(0o600)
    monkeypatch.setenv("SHARING_KEY_PASSPHRASE_FILE", "pass")
    result = call("directory", "announce", "d.yaml")
    assert "the key folder is that of NL, and cannot sign for CH" in result.error
    assert call("directory", "show", "--json").json_document["entries"] == []
    assert call("directory", "announce", "d.yaml", "--state", "NL").code == 0
    write_to_directory(bus, "CH", encode("CH"))
    document = call("directory", "show", "--json").json_document
    assert [entry["state"] for entry in document["entries"]] == ["NL"]
    assert document["unreadable"]["CH"] == "NOT_PINNED"
    write_to_directory(bus, "NL", encode("NL"))
    result = call("directory", "show")
    assert "the entry of NL cannot be confirmed (UNSIGNED)" in result.err
    assert call("directory", "remove", "--state", "NL").err == "removed: NL; in effect within seconds\n"
    write_to_directory(bus, "NL", encode("NL"))
    assert call("directory", "show", "--json").json_document["entries"] == []


def test_if_one_entry_is_too_large_nothing_is_announced(call: Call, bus: EmbeddedBroker) -> None:
    bus.create_topics([NOTICES.topic("CH")], 1)
    languages = ", ".join("x" * 500 for _ in range(250))
    Path("d.yaml").write_text(
        NL.replace(
            "name: Federal",
            f"name: F, kind: POLICE, contact_points: [{{name: n, hours: h, languages: [{languages}]}}]}}]\n# {{",
        )
    )
    result = call("directory", "announce", "d.yaml")
    assert (result.code, result.out) == (2, "")
    assert "the entry of CH has 125,5" in result.error
    assert "readers accept 100,000" in result.error
    assert call("directory", "show", "--json").json_document["entries"] == []


def test_if_one_state_has_no_topics_nothing_is_announced(call: Call, bus: EmbeddedBroker) -> None:
    Path("d.yaml").write_text(NL)
    result = call("directory", "announce", "d.yaml")
    assert (result.code, result.out) == (2, "")
    assert "CH has no topics on this cluster: every gate would withhold everything from it" in result.error
    assert result.error.endswith("Nothing was announced. Create the topics first: sharing topics apply --states CH")
    assert call("directory", "show", "--json").json_document["version"] == EMPTY_VERSION


def test_option_state_announces_only_that_state(call: Call, bus: EmbeddedBroker) -> None:
    Path("d.yaml").write_text(NL)
    before = int(time.time() * 1000)
    document = call("directory", "announce", "d.yaml", "--state", "nl", "--json").json_document
    assert (set(document), document["announced"]) == ({"announced", "effective_by"}, ["NL"])
    assert document["effective_by"] >= format_time(before + 60_000)
    assert [entry["state"] for entry in call("directory", "show", "--json").json_document["entries"]] == ["NL"]
    result = call("directory", "announce", "d.yaml", "--state", "DE")
    assert result.code == 2
    assert "d.yaml has no entry for DE" in result.error


def test_the_sample_directory_can_be_announced(call: Call, bus: EmbeddedBroker) -> None:
    text, name = sample_directory()
    Path(name).write_text(text)
    bus.create_topics([NOTICES.topic(entry.state) for entry in parse_entries(text, name)], 1)
    assert call("directory", "announce", name).code == 0
    assert len(call("directory", "show", "--json").json_document["entries"]) == 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (NL.replace("POLICE", "POLIS"), "d.yaml:2: entries.0: authorities[0].kind: must be one of"),
        (NL.replace("POLICE", "POLIS"), "did you mean 'POLICE'?"),
        (NL.replace("24/7,", "24/7, phnoe: x,"), "unknown field; did you mean 'phone'?"),
        (NL.replace("domain-name", "domainname"), "did you mean 'domain-name'?"),
        (NL.replace("2026-01-15T08:00:00Z", "yesterday"), "announced_at"),
        ("just text", "must have one key, `entries`, with a list"),
    ],
)
def test_an_invalid_entry_announces_nothing(call: Call, bus: EmbeddedBroker, text: str, message: str) -> None:
    Path("d.yaml").write_text(text)
    result = call("directory", "announce", "d.yaml", "--json")
    assert result.code == 2
    assert message in result.error
    assert result.out == ""
    assert call("directory", "show", "--json").json_document["version"] == EMPTY_VERSION


def test_unreadable_files_are_reported(call: Call, bus: EmbeddedBroker, empty_folder: Path) -> None:
    assert (
        "nowhere.yaml: cannot be read: No such file or directory" in call("directory", "announce", "nowhere.yaml").error
    )
    assert call("directory", "announce", empty_folder).code == 2
    Path("b.yaml").write_bytes(b"\xff\xfe\x00")
    assert "b.yaml: is not UTF-8 text" in call("directory", "announce", "b.yaml").error


@pytest.mark.usefixtures("short_connect_timeout")
def test_a_missing_broker_or_directory_topic_is_reported(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("d.yaml").write_text(NL)
    for command in (("show",), ("announce", "d.yaml")):
        assert call("directory", *command).code == 2  # none is configured
        result = call("directory", *command, "--bootstrap", "127.0.0.1:1")
        assert result.code == 3
        assert "no broker answers" in result.error
    with EmbeddedBroker() as broker:
        assert call("directory", "announce", "d.yaml", "--bootstrap", broker.bootstrap).code == 2  # no topics either
        broker.create_topics([NOTICES.topic("NL"), NOTICES.topic("CH")], 1)
        result = call("directory", "show", "--bootstrap", broker.bootstrap)
        assert result.code == 3
        assert "directory.<st>: no State has this topic, or no permission to see it" in result.error
        assert "`sharing topics apply" in result.error
        result = call("directory", "announce", "d.yaml", "--bootstrap", broker.bootstrap)
        assert result.code == 2
        assert "NL, CH has no topics on this cluster" in result.error


@pytest.mark.kafka
def test_with_access_control_officers_may_announce_only_their_own_state(
    call: Call, secure_kafka: SecureKafka, empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_folder / "d.yaml").write_text("entries:\n- state: CH" + NL.partition("- state: CH")[2])

    def announce_as(name: str) -> CommandResult:
        for variable, value in secure_kafka.environment(name).items():
            monkeypatch.setenv(variable, value)
        return call("directory", "announce", "d.yaml")

    result = announce_as("console.de")
    assert result.code == 2
    assert result.error == "console.de may announce DE only, not CH; give --state DE"
    result = announce_as("operator")
    assert result.code == 3
    assert "use the certificate of CH's officers, console.ch" in result.error
    result = announce_as("console.ch")
    assert (result.code, result.err.splitlines()[0]) == (0, "announced: CH")
    assert call("directory", "remove", "--state", "CH").err == "removed: CH; in effect within seconds\n"
    real = time.time
    with monkeypatch.context() as patch:
        patch.setattr("time.time", lambda: real() + 3600)
        refused = announce_as("console.ch")
    assert (refused.code, refused.error.endswith("and run this again; nothing was announced")) == (2, True)


@pytest.mark.parametrize("ahead_s", [3600.0, -400.0])
def test_nothing_is_announced_or_removed_by_a_wrong_clock(
    call: Call, bus: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch, ahead_s: float
) -> None:
    """A State that believes that it has removed its entry would go on receiving until the time that was signed."""
    Path("d.yaml").write_text(NL)
    bus.create_topics([NOTICES.topic("CH")], 1)
    assert call("directory", "announce", "d.yaml").code == 0
    before = call("directory", "show", "--json").json_document["version"]
    monkeypatch.setattr(clock_comparison, "read_broker_clock", lambda *_: ClockReading(ahead_s, 0.01))
    Path("d.yaml").write_text(NL.replace("National unit", "Another unit"))
    for command, prevented in (
        (("announce", "d.yaml"), "nothing was announced"),
        (("remove", "--state", "NL"), "the entry of NL was not removed"),
    ):
        refused = call("directory", *command)
        assert (refused.code, refused.out) == (2, "")
        assert refused.error.startswith("by this machine's clock it is ")
        assert refused.error.endswith(f"set the one that is wrong, and run this again; {prevented}")
    assert call("directory", "show", "--json").json_document["version"] == before
    monkeypatch.setattr(clock_comparison, "read_broker_clock", lambda *_: ClockReading(ahead_s / 20, 0.01))
    assert call("directory", "announce", "d.yaml").code == 0
