"""`sharing doctor`: each finding with its remedy, whatever is broken."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from sharing.cli.doctor import access as examined
from sharing.errors import InfrastructureError
from sharing.kafka.broker_clock import ClockReading
from sharing.kafka.directory_topic import announce
from sharing.kafka.topic_admin import TopicChange
from sharing.model.directory import DirectoryEntry
from sharing.packs.library import shipped_packs, shipped_states
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.secure import SecureKafka
from sharing.topology.partners import Partner
from sharing.topology.topics import TABLE
from tests.cli.conftest import Call, Done
from tests.cli.test_law import PACK
from tests.cli.test_topics import OF_STATES

ENTRY = {"announced_at": "2026-01-01T00:00:00Z", "authority": {"name": "n", "kind": "POLICE"}}
COMMAND = import_module("sharing.cli.doctor")  # as an attribute of its package, the name is the command


def finding(done: Done, check: str) -> dict[str, Any]:
    found = [one for one in done.document if one["check"] == check]
    assert len(found) == 1, done
    result: dict[str, Any] = found[0]
    return result


@pytest.fixture
def described(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Says what a cluster answers about its topics: the embedded broker cannot."""

    def answer(**changes: TopicChange) -> None:
        def inspect(_: str, wanted: dict[str, object], *_more: object, **_named: object) -> list[TopicChange]:
            return [changes.get(name.replace(".", "_"), TopicChange(name, "same")) for name in wanted]

        monkeypatch.setattr(COMMAND, "inspect_topics", inspect)

    return answer


def test_a_sound_installation_and_bus(call: Call, bus: EmbeddedBroker, described: Callable[..., None]) -> None:
    described()
    done = call("doctor", "--states", "CH")
    assert (done.code, done.err) == (0, "")
    assert "BAD " not in done.out
    assert [line for line in done.out.splitlines() if line.startswith("warn pack nl.yaml: NL ")]
    findings = call("doctor", "--states", "CH", "--json").document
    assert all(set(one) == {"check", "ok", "detail", "remedy", "warning"} for one in findings)
    names = {one["check"] for one in findings}
    assert {"python", "packages", "settings", "schemas", "broker", "topics", "directory"} <= names
    assert {f"pack {code.lower()}.yaml" for code in shipped_packs()} <= names


def test_no_broker_is_named(call: Call) -> None:
    done = call("doctor", "--json")
    assert done.code == 1
    assert done.err.endswith("checks failed\n")
    one = finding(done, "broker")
    assert (one["ok"], one["detail"]) == (False, "none is named")
    assert "SHARING_BOOTSTRAP" in one["remedy"]
    text = call("doctor")
    assert text.code == 1
    assert "BAD  broker: none is named\n     remedy: give --bootstrap" in text.out


@pytest.mark.usefixtures("impatient")
def test_no_broker_answers(call: Call) -> None:
    done = call("doctor", "--bootstrap", "127.0.0.1:1", "--json")
    assert done.code == 1
    one = finding(done, "broker")
    assert not one["ok"]
    assert "no broker answers at 127.0.0.1:1" in one["detail"]
    assert one["remedy"]
    assert "topics" not in {each["check"] for each in done.document}  # nobody could tell


def test_topics_that_are_missing_or_differ(call: Call, bus: EmbeddedBroker, described: Callable[..., None]) -> None:
    described(
        national_ch_drafts=TopicChange("national.ch.drafts", "missing"),
        exchange_ch_notices=TopicChange("exchange.ch.notices", "differs", "has 3 partitions, the table says 4"),
        exchange_ch_urgent=TopicChange(
            "exchange.ch.urgent", "differs", "cleanup.policy is compact, the table says delete"
        ),
    )
    done = call("doctor", "--states", "CH", "--json")
    assert done.code == 1
    missing = finding(done, "topic national.ch.drafts")
    assert (missing["ok"], missing["detail"]) == (False, "is missing")
    assert missing["remedy"] == "sharing topics apply --states CH"
    differs = finding(done, "topic exchange.ch.notices")
    assert (differs["ok"], differs["detail"]) == (False, "has 3 partitions, the table says 4")
    assert differs["remedy"].startswith("nothing is changed by itself; say the topic's number in the partners file")
    policy = finding(done, "topic exchange.ch.urgent")
    assert policy["remedy"].endswith(
        "--alter --entity-type topics --entity-name exchange.ch.urgent "
        "--add-config cleanup.policy=delete,retention.ms=31536000000"
    )
    topics = finding(done, "topics")
    assert (topics["ok"], topics["detail"]) == (False, f"{len(TABLE) - 3} of {len(TABLE)} as the table says")


def test_whose_topics_are_looked_at(
    call: Call, bus: EmbeddedBroker, described: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    described()
    every = len(shipped_states()) * len(OF_STATES) + len(TABLE) - len(OF_STATES)
    assert finding(call("doctor", "--json"), "topics")["detail"].startswith(f"{every} of {every}")
    monkeypatch.setenv("SHARING_STATE", "CH")  # a gate's machine: its own
    assert finding(call("doctor", "--json"), "topics")["detail"].startswith(f"{len(TABLE)} of {len(TABLE)}")


def test_a_cluster_that_does_not_say(call: Call, bus: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **_named: object) -> None:
        raise InfrastructureError("cannot read the configuration of x: TOPIC_AUTHORIZATION_FAILED")

    monkeypatch.setattr(COMMAND, "inspect_topics", refuse)
    one = finding(call("doctor", "--states", "CH", "--json"), "topics")
    assert "TOPIC_AUTHORIZATION_FAILED" in one["detail"]
    assert "describe topics" in one["remedy"]


def test_a_directory_that_is_missing(call: Call, described: Callable[..., None]) -> None:
    described()
    with EmbeddedBroker() as broker:
        one = finding(call("doctor", "--bootstrap", broker.bootstrap, "--json"), "directory")
    assert "exchange.directory: not there" in one["detail"]
    assert "sharing directory announce" in one["remedy"]


def test_who_is_announced_and_has_no_topics_would_stop_a_gate(
    call: Call, bus: EmbeddedBroker, described: Callable[..., None]
) -> None:
    described()
    for state in ("NL", "JP"):
        announce(bus.bootstrap, DirectoryEntry.read({**ENTRY, "state": state}))
    done = call("doctor", "--states", "CH", "--json")
    assert done.code == 1
    one = finding(done, "directory")
    assert (one["ok"], one["remedy"]) == (
        False, "sharing topics apply --states JP, or let the State take its entry out",
    )  # fmt: skip
    assert one["detail"].endswith("; no topics here of JP: a gate stops at its first item for it")


def test_a_broken_pack(call: Call, clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = clean / "packs"
    folder.mkdir()
    (folder / "ch.yaml").write_text(PACK.replace("effect:", "efect:"))
    (folder / "de.yaml").write_text(PACK.replace("state: CH", "state: DE"))
    monkeypatch.setenv("SHARING_PACKS", str(folder))
    done = call("doctor", "--json")
    broken = finding(done, "pack ch.yaml")
    assert "did you mean 'effect'?" in broken["detail"]
    assert broken["remedy"] == "mend the pack; a gate refuses it"
    assert finding(done, "pack de.yaml")["ok"]
    monkeypatch.setenv("SHARING_PACKS", str(clean / "nowhere"))
    one = finding(call("doctor", "--json"), "packs")
    assert "is not a folder of packs" in one["detail"]
    assert "SHARING_PACKS" in one["remedy"]
    (clean / "empty").mkdir()
    monkeypatch.setenv("SHARING_PACKS", str(clean / "empty"))
    assert not finding(call("doctor", "--json"), "packs")["ok"]


def test_a_clock_before_the_law(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(COMMAND.time, "time", lambda: datetime(1999, 12, 31, tzinfo=UTC).timestamp())
    one = finding(call("doctor", "--json"), "pack ch.yaml")
    assert not one["ok"]
    assert one["detail"].endswith("today is 1999-12-31")
    assert "set the clock" in one["remedy"]


@pytest.mark.parametrize(
    ("valid", "consolidated", "mark", "says", "remedy"),
    [
        ("{from: 2020-01-01}", "2026-01-01", "ok", "today is 2026-03-02", ""),
        ("{from: 2020-01-01}", "2025-01-01", "warn", "consolidated 2025-01-01", "have the law office consolidate it"),
        ("{from: 2020-01-01, to: 2026-03-02}", "2026-01-01", "ok", "today is 2026-03-02", ""),
        (
            "{from: 2020-01-01, to: 2026-03-01}", "2026-01-01", "BAD",
            "none of its permissions is in force any more", "have the law office adopt a version",
        ),
    ],
    ids=["of today", "old", "on its last day", "spent"],
)  # fmt: skip
def test_a_pack_out_of_date(
    call: Call, clean: Path, monkeypatch: pytest.MonkeyPatch, valid: str, consolidated: str, mark: str, says: str,
    remedy: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(COMMAND.time, "time", lambda: datetime(2026, 3, 2, tzinfo=UTC).timestamp())
    text = PACK.replace("{from: 2020-01-01}", valid).replace(
        "consolidated_at: 2026-01-01", f"consolidated_at: {consolidated}"
    )
    (clean / "packs").mkdir()
    (clean / "packs" / "ch.yaml").write_text(text)
    monkeypatch.setenv("SHARING_PACKS", "packs")
    one = finding(call("doctor", "--json"), "pack ch.yaml")
    assert ("BAD" if not one["ok"] else "warn" if one["warning"] else "ok") == mark
    assert says in one["detail"]
    assert one["remedy"].startswith(remedy)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('state = "CH', "the settings file sharing.toml cannot be read"),
        ('stat = "CH"', "(or `stat` in the settings file): unknown field; did you mean 'state'?"),
        ('partitions = "many"', "(or `partitions` in the settings file): "),
        (None, "SHARING_CONFIG names sharing.toml, which is not a file"),
    ],
    ids=["no TOML", "misspelt", "wrong value", "missing"],
)
def test_a_wrong_settings_file(
    call: Call, clean: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, says: str
) -> None:
    if text is not None:
        (clean / "sharing.toml").write_text(text)
    monkeypatch.setenv("SHARING_CONFIG", "sharing.toml")
    done = call("doctor", "--json")
    assert done.code == 1
    one = finding(done, "settings")
    assert says in one["detail"]
    assert one["remedy"] == "mend the setting named"


def test_a_wrong_setting(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARING_PARTITIONS", "0")
    one = finding(call("doctor", "--json"), "settings")
    assert "SHARING_PARTITIONS" in one["detail"]
    assert one["remedy"] == "mend the setting named"


def test_a_geolocation_database_that_is_none(call: Call, clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARING_GEOIP", str(clean / "nowhere.mmdb"))
    one = finding(call("doctor", "--json"), "geoip")
    assert not one["ok"]
    assert "SHARING_GEOIP" in one["detail"]


def test_a_certificate_that_is_missing_stops_the_rest(
    call: Call, bus: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHARING_TLS_CA", "nowhere.pem")
    done = call("doctor", "--states", "CH", "--json")
    assert done.code == 1
    one = finding(done, "certificate")
    assert not one["ok"]
    assert "SHARING_TLS_CERTIFICATE and SHARING_TLS_KEY: not set" in one["detail"]
    assert finding(done, "broker")["detail"].startswith("not asked: ")


def test_a_damaged_installation(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise FileNotFoundError(f"schemas/{name}.avsc")

    monkeypatch.setattr(COMMAND, "codec_of", missing)
    one = finding(call("doctor", "--json"), "schemas")
    assert "schemas/indicator.avsc" in one["detail"]
    assert one["remedy"].startswith("install the package again")
    monkeypatch.setattr(COMMAND, "libversion", lambda: ("1.9.0", 0))
    assert "upgrade confluent-kafka" in finding(call("doctor", "--json"), "packages")["remedy"]


def test_wrong_states(call: Call, bus: EmbeddedBroker) -> None:
    done = call("doctor", "--states", "Germny")
    assert done.code == 2
    assert "did you mean DE" in done.error


@pytest.mark.kafka
def test_on_a_real_cluster(call: Call, kafka: Any) -> None:
    """Right topics, one that is missing, one with too many partitions."""
    assert call("topics", "apply", "--states", "ZA", "--bootstrap", kafka.bootstrap).code in {0, 1}
    done = call("doctor", "--states", "ZA", "--bootstrap", kafka.bootstrap, "--json")
    assert {one["check"]: one["ok"] for one in done.document}["broker"]
    kafka.create_topics(["national.ye.indicators"], 9)
    done = call("doctor", "--states", "YE", "--bootstrap", kafka.bootstrap, "--json")
    assert "has 9 partitions, the table says 4" in finding(done, "topic national.ye.indicators")["detail"]
    assert finding(done, "topic exchange.ye.notices")["detail"] == "is missing"


# --- Behind the wall: what each party is told, and the exit code ---


@pytest.fixture
def become(wall: SecureKafka, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Gives this process the settings of a principal, and others on top."""

    def be(name: str, **more: str) -> None:
        for variable, value in {**wall.environment(name), **more}.items():
            monkeypatch.setenv(variable, value)

    return be


def wrong(done: Done) -> set[str]:
    """Return the checks that failed, each of which has a remedy."""
    assert all(one["remedy"] for one in done.document if not one["ok"])
    return {one["check"] for one in done.document if not one["ok"]}


@pytest.mark.kafka
def test_everyone_behind_the_wall_finds_it_well(call: Call, become: Callable[..., None]) -> None:
    for name in ("operator", "agency.ch.customs", "gate.ch"):
        become(name)
        done = call("doctor", "--json")
        assert (done.code, wrong(done)) == (0, set()), name
        assert done.err == ""


@pytest.mark.kafka
@pytest.mark.usefixtures("impatient")
def test_a_certificate_that_is_missing_anothers_or_another_states(
    call: Call, wall: SecureKafka, become: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    gates = wall.broker.certificates_folder / "gate.de.pem"
    for name, more, says in (
        ("gate.ch", {"SHARING_STATE": "DE"}, "is of CH, and SHARING_STATE says DE"),
        ("gate.ch", {"SHARING_TLS_CERTIFICATE": "nowhere.pem"}, "nowhere.pem, which cannot be read"),
        ("gate.ch", {"SHARING_TLS_CERTIFICATE": str(gates)}, "is not that of the certificate in"),
    ):
        become(name, **more)
        done = call("doctor", "--json")
        assert (done.code, wrong(done)) == (1, {"certificate", "broker"})
        assert says in finding(done, "certificate")["detail"]
    become("gate.ch")
    for variable in ("SHARING_TLS_CA", "SHARING_TLS_CERTIFICATE", "SHARING_TLS_KEY"):
        monkeypatch.delenv(variable)
    done = call("doctor", "--json")
    assert (done.code, wrong(done)) == (1, {"broker"})
    assert "one that asks for a certificate needs SHARING_TLS_" in finding(done, "broker")["remedy"]


@pytest.mark.kafka
def test_what_was_changed_behind_the_tables_back_is_found_by_the_operator(
    call: Call, wall: SecureKafka, become: Callable[..., None], clean: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another number of partitions than the file says, an entry too few and one too many, a skewed clock."""
    become("operator")
    wide = wall.partners.model_copy(update={"partitions": 2, "states": {**wall.partners.states, "NL": Partner()}})
    del wide.states["DE"]
    (clean / "partners.yaml").write_text(yaml.safe_dump(wide.model_dump(mode="json")))
    monkeypatch.setenv("SHARING_PARTNERS", "partners.yaml")
    monkeypatch.setattr(examined, "read_broker_clock", lambda *_: ClockReading(ahead_s=3600.0, error_s=0.01))
    done = call("doctor", "--json")
    assert done.code == 1
    assert {"clock", "rights too narrow", "rights too wide", "topic national.nl.drafts", "topics"} <= wrong(done)
    assert "has 1 partitions, the table says 2" in finding(done, "topic national.ch.drafts")["detail"]
    assert "time service" in finding(done, "clock")["remedy"]
