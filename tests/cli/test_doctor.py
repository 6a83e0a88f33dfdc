"""`sharing doctor`: for each problem, the finding and its remedy."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from sharing.cli.doctor import clock, installation, topics
from sharing.errors import InfrastructureError
from sharing.kafka.broker_clock import ClockReading
from sharing.kafka.directory_topic import announce_entry
from sharing.kafka.topic_admin import TopicChange
from sharing.model.directory import DirectoryEntry
from sharing.packs.library import list_shipped_pack_codes, list_shipped_states
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.secure_kafka import SecureKafka
from sharing.topology.partners import Partner
from sharing.topology.topics import TOPIC_KINDS
from tests.cli.conftest import Call, CommandResult
from tests.cli.test_law import PACK
from tests.cli.test_topics import OF_STATES
from tests.support.gate_traces import clear_gate_traces

ENTRY = {"announced_at": "2026-01-01T00:00:00Z", "authorities": [{"name": "n", "kind": "POLICE"}]}


def get_finding(result: CommandResult, check: str) -> dict[str, Any]:
    findings = [finding for finding in result.json_document if finding["check"] == check]
    assert len(findings) == 1, result
    only: dict[str, Any] = findings[0]
    return only


@pytest.fixture
def fake_topics(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that fakes the state of the topics: the embedded broker cannot report it."""

    def fake_changes(**changes: TopicChange) -> None:
        def inspect(_: str, wanted: dict[str, object], *_more: object, **_named: object) -> list[TopicChange]:
            return [changes.get(name.replace(".", "_"), TopicChange(name, "same")) for name in wanted]

        monkeypatch.setattr(topics, "inspect_topics", inspect)

    return fake_changes


def test_a_directory_in_which_nobody_has_announced_anything_is_a_warning(
    call: Call, bus: EmbeddedBroker, fake_topics: Callable[..., None]
) -> None:
    fake_topics()
    finding = get_finding(call("doctor", "--states", "CH", "--json"), "directory")
    assert (finding["ok"], finding["warning"], finding["remedy"]) == (True, True, "sharing directory announce FILE")
    assert "no State has announced itself" in finding["detail"]


def test_a_healthy_installation_and_bus(call: Call, bus: EmbeddedBroker, fake_topics: Callable[..., None]) -> None:
    fake_topics()
    result = call("doctor", "--states", "CH")
    assert (result.code, result.err) == (0, "")
    assert "BAD " not in result.out
    assert [line for line in result.out.splitlines() if line.startswith("note pack nl.yaml: NL ")]
    findings = call("doctor", "--states", "CH", "--json").json_document
    assert all(set(finding) == {"check", "ok", "detail", "remedy", "warning", "note"} for finding in findings)
    names = {finding["check"] for finding in findings}
    assert {"python", "packages", "settings", "schemas", "broker", "topics", "directory"} <= names
    assert {f"pack {code.lower()}.yaml" for code in list_shipped_pack_codes()} <= names


def test_no_broker_is_configured(call: Call) -> None:
    result = call("doctor", "--json")
    assert result.code == 1
    assert result.err.endswith("checks failed\n")
    finding = get_finding(result, "broker")
    assert (finding["ok"], finding["detail"]) == (False, "none is configured")
    assert "SHARING_BOOTSTRAP" in finding["remedy"]
    text = call("doctor")
    assert text.code == 1
    assert "BAD  broker: none is configured\n     remedy: give --bootstrap" in text.out


@pytest.mark.usefixtures("short_connect_timeout")
def test_no_broker_answers(call: Call) -> None:
    result = call("doctor", "--bootstrap", "127.0.0.1:1", "--json")
    assert result.code == 1
    finding = get_finding(result, "broker")
    assert not finding["ok"]
    assert "no broker answers at 127.0.0.1:1" in finding["detail"]
    assert finding["remedy"]
    assert "topics" not in {finding["check"] for finding in result.json_document}  # cannot be checked


def test_missing_and_differing_topics(call: Call, bus: EmbeddedBroker, fake_topics: Callable[..., None]) -> None:
    fake_topics(
        national_ch_drafts=TopicChange("national.ch.drafts", "missing"),
        exchange_ch_notices=TopicChange("exchange.ch.notices", "differs", "has 3 partitions, the table says 4"),
        exchange_ch_urgent=TopicChange(
            "exchange.ch.urgent", "differs", "cleanup.policy is compact, the table detail delete"
        ),
    )
    result = call("doctor", "--states", "CH", "--json")
    assert result.code == 1
    missing = get_finding(result, "topic national.ch.drafts")
    assert (missing["ok"], missing["detail"]) == (False, "missing")
    assert missing["remedy"] == "sharing topics apply --states CH"
    differs = get_finding(result, "topic exchange.ch.notices")
    assert (differs["ok"], differs["detail"]) == (False, "has 3 partitions, the table says 4")
    assert differs["remedy"].startswith(
        "set the actual number in the partners file or SHARING_PARTITIONS, or recreate the topic"
    )
    policy = get_finding(result, "topic exchange.ch.urgent")
    assert policy["remedy"].endswith(
        "--alter --entity-type topics --entity-name exchange.ch.urgent "
        "--add-config cleanup.policy=delete,retention.ms=2592000000,"
        "message.timestamp.type=LogAppendTime,max.message.bytes=280000"
    )
    topics = get_finding(result, "topics")
    assert (topics["ok"], topics["detail"]) == (False, f"{len(TOPIC_KINDS) - 3} of {len(TOPIC_KINDS)} match the table")


def test_which_topics_are_checked(
    call: Call, bus: EmbeddedBroker, fake_topics: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_topics()
    one = len(TOPIC_KINDS)  # the bus of this test has national topics of CH only
    assert get_finding(call("doctor", "--json"), "topics")["detail"].startswith(f"{one} of {one}")
    two = one + len(OF_STATES)
    both = call("doctor", "--states", "CH,NL", "--json")
    assert get_finding(both, "topics")["detail"].startswith(f"{two} of {two}")
    with EmbeddedBroker() as empty:
        every = len(list_shipped_states()) * len(OF_STATES) + len(TOPIC_KINDS) - len(OF_STATES)
        found = call("doctor", "--bootstrap", empty.bootstrap, "--json")
        assert get_finding(found, "topics")["detail"].startswith(f"{every} of {every}")
    monkeypatch.setenv("SHARING_STATE", "CH")  # on the machine of a gate: only its State's
    assert get_finding(call("doctor", "--json"), "topics")["detail"].startswith(
        f"{len(TOPIC_KINDS)} of {len(TOPIC_KINDS)}"
    )


def test_a_cluster_that_refuses_to_describe_topics(
    call: Call, bus: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **_named: object) -> None:
        raise InfrastructureError("cannot read the configuration of x: TOPIC_AUTHORIZATION_FAILED")

    monkeypatch.setattr(topics, "inspect_topics", refuse)
    finding = get_finding(call("doctor", "--states", "CH", "--json"), "topics")
    assert "TOPIC_AUTHORIZATION_FAILED" in finding["detail"]
    assert "describe topics" in finding["remedy"]


def test_a_missing_directory_topic(call: Call, fake_topics: Callable[..., None]) -> None:
    fake_topics()
    with EmbeddedBroker() as broker:
        finding = get_finding(call("doctor", "--bootstrap", broker.bootstrap, "--json"), "directory")
    assert "directory.<st>: no State has this topic" in finding["detail"]
    assert "sharing directory announce" in finding["remedy"]


def test_an_announced_state_without_topics_fails(
    call: Call, bus: EmbeddedBroker, fake_topics: Callable[..., None]
) -> None:
    fake_topics()
    for state in ("NL", "JP"):
        announce_entry(bus.bootstrap, DirectoryEntry.parse({**ENTRY, "state": state}))
    result = call("doctor", "--states", "CH", "--json")
    assert result.code == 1
    finding = get_finding(result, "directory")
    assert (finding["ok"], finding["remedy"]) == (
        False, "sharing topics apply --states JP, or have the State remove its entry",
    )  # fmt: skip
    assert finding["detail"].endswith("; JP has no topics on this cluster: every gate withholds from it")


def test_a_broken_pack(call: Call, empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = empty_folder / "packs"
    folder.mkdir()
    (folder / "ch.yaml").write_text(PACK.replace("effect:", "efect:"))
    (folder / "de.yaml").write_text(PACK.replace("state: CH", "state: DE"))
    monkeypatch.setenv("SHARING_PACKS", str(folder))
    result = call("doctor", "--json")
    broken = get_finding(result, "pack ch.yaml")
    assert "did you mean 'effect'?" in broken["detail"]
    assert broken["remedy"] == "fix the pack; a gate does not load it"
    assert get_finding(result, "pack de.yaml")["ok"]
    monkeypatch.setenv("SHARING_PACKS", str(empty_folder / "nowhere"))
    finding = get_finding(call("doctor", "--json"), "packs")
    assert "is not a folder of packs" in finding["detail"]
    assert "SHARING_PACKS" in finding["remedy"]
    (empty_folder / "empty").mkdir()
    monkeypatch.setenv("SHARING_PACKS", str(empty_folder / "empty"))
    assert not get_finding(call("doctor", "--json"), "packs")["ok"]


def test_a_clock_before_the_date_of_the_pack(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: datetime(1999, 12, 31, tzinfo=UTC).timestamp())
    finding = get_finding(call("doctor", "--json"), "pack ch.yaml")
    assert not finding["ok"]
    assert finding["detail"].endswith("today is 1999-12-31")
    assert "set the clock" in finding["remedy"]


@pytest.mark.parametrize(
    ("valid", "consolidated", "status", "detail", "remedy"),
    [
        ("{from: 2020-01-01}", "2026-01-01", "ok", "today is 2026-03-02", ""),
        (
            "{from: 2020-01-01}", "2025-01-01", "warn", "consolidated 2025-01-01",
            "ask the law office to check the pack against current law",
        ),
        ("{from: 2020-01-01, to: 2026-03-02}", "2026-01-01", "ok", "today is 2026-03-02", ""),
        (
            "{from: 2020-01-01, to: 2026-03-01}", "2026-01-01", "BAD",
            "all its permissions have expired", "ask the law office for a version of the law in force today",
        ),
    ],
    ids=["current", "old", "on its last day", "expired"],
)  # fmt: skip
def test_a_pack_out_of_date(
    call: Call, empty_folder: Path, monkeypatch: pytest.MonkeyPatch, valid: str, consolidated: str, status: str,
    detail: str, remedy: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(time, "time", lambda: datetime(2026, 3, 2, tzinfo=UTC).timestamp())
    text = PACK.replace("{from: 2020-01-01}", valid).replace(
        "consolidated_at: 2026-01-01", f"consolidated_at: {consolidated}"
    )
    (empty_folder / "packs").mkdir()
    (empty_folder / "packs" / "ch.yaml").write_text(text)
    monkeypatch.setenv("SHARING_PACKS", "packs")
    finding = get_finding(call("doctor", "--json"), "pack ch.yaml")
    assert ("BAD" if not finding["ok"] else "warn" if finding["warning"] else "ok") == status
    assert detail in finding["detail"]
    assert finding["remedy"].startswith(remedy)


def test_the_age_of_a_pack_that_the_state_does_not_apply_is_not_its_concern(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shipped packs are illustrations. A folder of one's own is there to be applied, whichever State is chosen."""

    def judge() -> tuple[bool, bool, bool]:
        finding = get_finding(call("doctor", "--json"), "pack nl.yaml")
        assert "consolidated 2017-12-31" in finding["detail"]
        return finding["ok"], finding["warning"], finding["note"]

    for state, is_applied in ((None, False), ("CH", False), ("NL", True)):
        if state is not None:
            monkeypatch.setenv("SHARING_STATE", state)
        assert judge() == (True, is_applied, not is_applied), state
    monkeypatch.delenv("SHARING_STATE")
    monkeypatch.setenv("SHARING_PACKS", str(files("sharing.packs") / "shipped"))
    assert judge() == (True, True, False)


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ('state = "CH', "the settings file sharing.toml cannot be read"),
        ('stat = "CH"', "(or `stat` in the settings file): unknown field; did you mean 'state'?"),
        ('partitions = "many"', "(or `partitions` in the settings file): "),
        (None, "SHARING_CONFIG names sharing.toml, which is not a file"),
    ],
    ids=["no TOML", "misspelt", "wrong value", "missing"],
)
def test_a_wrong_settings_file(
    call: Call, empty_folder: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, detail: str
) -> None:
    if text is not None:
        (empty_folder / "sharing.toml").write_text(text)
    monkeypatch.setenv("SHARING_CONFIG", "sharing.toml")
    result = call("doctor", "--json")
    assert result.code == 1
    finding = get_finding(result, "settings")
    assert detail in finding["detail"]
    assert finding["remedy"] == "correct that setting"


def test_a_wrong_setting(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARING_PARTITIONS", "0")
    finding = get_finding(call("doctor", "--json"), "settings")
    assert "SHARING_PARTITIONS" in finding["detail"]
    assert finding["remedy"] == "correct that setting"


def test_a_missing_geolocation_database(call: Call, empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARING_GEOIP", str(empty_folder / "nowhere.mmdb"))
    finding = get_finding(call("doctor", "--json"), "geoip")
    assert not finding["ok"]
    assert "SHARING_GEOIP" in finding["detail"]


def test_without_a_usable_certificate_the_broker_is_not_contacted(
    call: Call, bus: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHARING_TLS_CA", "nowhere.pem")
    result = call("doctor", "--states", "CH", "--json")
    assert result.code == 1
    finding = get_finding(result, "certificate")
    assert not finding["ok"]
    assert "SHARING_TLS_CERTIFICATE and SHARING_TLS_KEY: not set" in finding["detail"]
    assert get_finding(result, "broker")["detail"].startswith("not contacted: ")


def test_a_damaged_installation(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise FileNotFoundError(f"schemas/{name}.avsc")

    monkeypatch.setattr(installation, "get_codec", missing)
    finding = get_finding(call("doctor", "--json"), "schemas")
    assert "schemas/indicator.avsc" in finding["detail"]
    assert finding["remedy"].startswith("reinstall sharing-bus")
    monkeypatch.setattr(installation, "libversion", lambda: ("1.9.0", 0))
    assert "upgrade confluent-kafka" in get_finding(call("doctor", "--json"), "packages")["remedy"]


def test_wrong_states(call: Call, bus: EmbeddedBroker) -> None:
    result = call("doctor", "--states", "Germny")
    assert result.code == 2
    assert "did you mean DE" in result.error


@pytest.mark.kafka
def test_on_a_real_cluster(call: Call, kafka: Any) -> None:
    """Correct topics, a missing topic, and one with too many partitions."""
    assert call("topics", "apply", "--states", "ZA", "--bootstrap", kafka.bootstrap).code in {0, 1}
    result = call("doctor", "--states", "ZA", "--bootstrap", kafka.bootstrap, "--json")
    assert {finding["check"]: finding["ok"] for finding in result.json_document}["broker"]
    kafka.create_topics(["national.ye.indicators"], 9)
    result = call("doctor", "--states", "YE", "--bootstrap", kafka.bootstrap, "--json")
    assert "has 9 partitions, the table says 4" in get_finding(result, "topic national.ye.indicators")["detail"]
    assert get_finding(result, "topic exchange.ye.notices")["detail"] == "missing"


# --- With access control: findings for each principal, and the exit code ---


@pytest.fixture
def use_settings_of(secure_kafka: SecureKafka, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that sets the settings of a principal, and further ones."""
    clear_gate_traces(secure_kafka)

    def set_settings(name: str, **overrides: str) -> None:
        for variable, value in {**secure_kafka.environment(name), **overrides}.items():
            monkeypatch.setenv(variable, value)

    return set_settings


def failed_checks(result: CommandResult) -> set[str]:
    """Return the names of the failed checks; each must have a remedy."""
    failed = [finding for finding in result.json_document if not finding["ok"]]
    assert all(finding["remedy"] for finding in failed)
    return {finding["check"] for finding in failed}


@pytest.mark.kafka
def test_with_access_control_all_checks_pass_for_each_principal(
    call: Call, use_settings_of: Callable[..., None]
) -> None:
    for name in ("operator", "agency.ch.customs", "gate.ch"):
        use_settings_of(name)
        result = call("doctor", "--json")
        assert (result.code, failed_checks(result)) == (0, set()), name
        assert result.err == ""


@pytest.mark.kafka
@pytest.mark.usefixtures("short_connect_timeout")
def test_a_missing_or_wrong_certificate(
    call: Call, secure_kafka: SecureKafka, use_settings_of: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    gates = secure_kafka.broker.certificates_folder / "gate.de.pem"
    for name, overrides, detail in (
        ("gate.ch", {"SHARING_STATE": "DE"}, "belongs to CH, but SHARING_STATE is DE"),
        ("gate.ch", {"SHARING_TLS_CERTIFICATE": "nowhere.pem"}, "nowhere.pem, which cannot be read"),
        ("gate.ch", {"SHARING_TLS_CERTIFICATE": str(gates)}, "does not belong to the certificate in"),
    ):
        use_settings_of(name, **overrides)
        result = call("doctor", "--json")
        assert (result.code, failed_checks(result)) == (1, {"certificate", "broker"})
        assert detail in get_finding(result, "certificate")["detail"]
    use_settings_of("gate.ch")
    for variable in ("SHARING_TLS_CA", "SHARING_TLS_CERTIFICATE", "SHARING_TLS_KEY"):
        monkeypatch.delenv(variable)
    result = call("doctor", "--json")
    assert (result.code, failed_checks(result)) == (1, {"broker"})
    assert "if it requires a certificate, set SHARING_TLS_" in get_finding(result, "broker")["remedy"]


@pytest.mark.kafka
def test_the_operator_finds_all_differences_from_the_table(
    call: Call,
    secure_kafka: SecureKafka,
    use_settings_of: Callable[..., None],
    empty_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A wrong number of partitions, a missing and an excess ACL entry, a skewed clock."""
    use_settings_of("operator")
    wide = secure_kafka.partners.model_copy(
        update={"partitions": 2, "states": {**secure_kafka.partners.states, "NL": Partner()}}
    )
    del wide.states["DE"]
    (empty_folder / "partners.yaml").write_text(yaml.safe_dump(wide.model_dump(mode="json")))
    monkeypatch.setenv("SHARING_PARTNERS", "partners.yaml")
    monkeypatch.setattr(clock, "read_broker_clock", lambda *_: ClockReading(ahead_s=3600.0, error_s=0.01))
    result = call("doctor", "--json")
    assert result.code == 1
    assert {"clock", "rights too narrow", "rights too wide", "topic national.nl.drafts", "topics"} <= failed_checks(
        result
    )
    assert "has 1 partitions, the table says 2" in get_finding(result, "topic national.ch.drafts")["detail"]
    assert "time service" in get_finding(result, "clock")["remedy"]
