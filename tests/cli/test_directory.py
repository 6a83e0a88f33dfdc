"""`sharing directory`: announced, shown, and what goes wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from sharing.kafka.directory_topic import read_entries
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.secure import SecureKafka
from sharing.testing.samples import sample_directory
from sharing.topology.topics import NOTICES
from tests.cli.conftest import Call, Done

NL = """\
entries:
- state: NL
  announced_at: "2026-01-15T08:00:00Z"
  valid_until: "2027-01-01T00:00:00Z"
  authority: {name: "National unit [sample]", kind: POLICE}
  contact_points:
  - {name: Contact point, hours: 24/7, languages: [nl, en], email: spoc@nl.example}
  interests:
  - {id: nl-hosting, types: [ipv4-addr, domain-name]}
- state: CH
  announced_at: "2026-01-15T08:00:00Z"
  authority: {name: Federal contact point, kind: PROSECUTOR}
"""


def test_what_is_announced_is_shown(call: Call, bus: EmbeddedBroker) -> None:
    Path("d.yaml").write_text(NL)
    assert call("directory", "show", "--json").document == {"version": 0, "entries": []}
    bus.create_topics([NOTICES.topic("CH")], 1)
    done = call("directory", "announce", "d.yaml")
    assert (done.code, done.out, done.err) == (0, "", "announced: NL, CH\n")
    document = call("directory", "show", "--json").document
    assert document["version"] == 2
    ch, nl = document["entries"]
    assert (ch["state"], ch["authority"]["kind"]) == ("CH", "PROSECUTOR")
    assert nl["contact_points"][0]["email"] == "spoc@nl.example"
    assert nl["interests"][0]["types"] == ["ipv4-addr", "domain-name"]
    done = call("directory", "show")
    assert "National unit [sample] (POLICE)" in done.out
    assert "Contact point (24/7)" in done.out
    assert "2027-01-01 00:00Z" in done.out
    assert done.err == "version 2\n"


def test_a_state_without_topics_is_not_announced_nor_anyone_with_it(call: Call, bus: EmbeddedBroker) -> None:
    Path("d.yaml").write_text(NL)
    done = call("directory", "announce", "d.yaml")
    assert (done.code, done.out) == (2, "")
    assert "no topics of CH here, and nothing is announced" in done.error
    assert done.error.endswith("make them first: sharing topics apply --states CH")
    assert call("directory", "show", "--json").document["version"] == 0


def test_only_one_state_of_a_file(call: Call, bus: EmbeddedBroker) -> None:
    Path("d.yaml").write_text(NL)
    assert call("directory", "announce", "d.yaml", "--state", "nl", "--json").document == {"announced": ["NL"]}
    assert [entry["state"] for entry in call("directory", "show", "--json").document["entries"]] == ["NL"]
    done = call("directory", "announce", "d.yaml", "--state", "DE")
    assert done.code == 2
    assert "d.yaml has no entry of DE" in done.error


def test_the_sample_can_be_announced(call: Call, bus: EmbeddedBroker) -> None:
    text, name = sample_directory()
    Path(name).write_text(text)
    bus.create_topics([NOTICES.topic(entry.state) for entry in read_entries(text, name)], 1)
    assert call("directory", "announce", name).code == 0
    assert len(call("directory", "show", "--json").document["entries"]) == 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (NL.replace("POLICE", "POLIS"), "d.yaml:2: entries.0: authority.kind: must be one of"),
        (NL.replace("POLICE", "POLIS"), "did you mean 'POLICE'?"),
        (NL.replace("24/7,", "24/7, phnoe: x,"), "unknown field; did you mean 'phone'?"),
        (NL.replace("domain-name", "domainname"), "did you mean 'domain-name'?"),
        (NL.replace("2026-01-15T08:00:00Z", "yesterday"), "announced_at"),
        ("just text", "must have one key, `entries`, with a list"),
    ],
)
def test_an_entry_that_is_not_acceptable_announces_nothing(
    call: Call, bus: EmbeddedBroker, text: str, message: str
) -> None:
    Path("d.yaml").write_text(text)
    done = call("directory", "announce", "d.yaml", "--json")
    assert done.code == 2
    assert message in done.error
    assert done.out == ""
    assert call("directory", "show", "--json").document["version"] == 0


def test_files_that_cannot_be_read(call: Call, bus: EmbeddedBroker, clean: Path) -> None:
    assert (
        "nowhere.yaml: cannot be read: No such file or directory" in call("directory", "announce", "nowhere.yaml").error
    )
    assert call("directory", "announce", clean).code == 2
    Path("b.yaml").write_bytes(b"\xff\xfe\x00")
    assert "b.yaml: is not UTF-8 text" in call("directory", "announce", "b.yaml").error


@pytest.mark.usefixtures("impatient")
def test_without_a_broker_or_a_directory(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("d.yaml").write_text(NL)
    for command in (("show",), ("announce", "d.yaml")):
        assert call("directory", *command).code == 2  # none is named
        done = call("directory", *command, "--bootstrap", "127.0.0.1:1")
        assert done.code == 3
        assert "no broker answers" in done.error
    with EmbeddedBroker() as broker:
        assert call("directory", "announce", "d.yaml", "--bootstrap", broker.bootstrap).code == 2  # nor any topics
        broker.create_topics([NOTICES.topic("NL"), NOTICES.topic("CH")], 1)
        for command in (("show",), ("announce", "d.yaml")):
            done = call("directory", *command, "--bootstrap", broker.bootstrap)
            assert done.code == 3
            assert "exchange.directory: not there, or no permission to see it" in done.error
            assert "`sharing topics apply`" in done.error


@pytest.mark.kafka
def test_behind_the_wall_officers_speak_for_their_own_state(
    call: Call, wall: SecureKafka, clean: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (clean / "d.yaml").write_text("entries:\n- state: CH" + NL.partition("- state: CH")[2])

    def announced_by(name: str) -> Done:
        for variable, value in wall.environment(name).items():
            monkeypatch.setenv(variable, value)
        return call("directory", "announce", "d.yaml")

    done = announced_by("console.de")
    assert done.code == 2
    assert done.error == "console.de speaks for DE only, not for CH; give --state DE"
    done = announced_by("operator")
    assert done.code == 3
    assert "it takes the certificate of CH's officers, console.ch" in done.error
    done = announced_by("console.ch")
    assert (done.code, done.err) == (0, "announced: CH\n")
