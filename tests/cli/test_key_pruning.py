"""`sharing keys prune`: what has ended is destroyed, and nothing else."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from typing import Any

import pytest

from sharing.cli.shared import clock_comparison
from sharing.errors import InfrastructureError
from sharing.kafka.broker_clock import ClockReading
from sharing.keystore import pruning
from sharing.keystore.pruning import WRAPPED_DAYS
from sharing.model.times import DAY_MS
from sharing.topology.topic_kinds import COMPACTION_LAG_MAX_MS
from sharing.topology.topics import DRAFTS, EXCHANGE_RETENTION_MS
from sharing.trust.online_key import KEEP_ENDED_DAYS
from sharing.trust.public_keys import KeyRole
from tests.cli.conftest import Call
from tests.cli.key_ceremonies import KeyCeremony, make_ceremony, run_killed
from tests.support.softhsm import make_soft_token


class Clock:
    """The time that the commands see. The broker's is the same, unless it lags."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.real = time.time
        self.days = 0.0
        self.broker_lag_s = 0.0
        monkeypatch.setattr("time.time", lambda: self.real() + self.days * 86_400)
        monkeypatch.setattr(clock_comparison, "read_broker_clock", lambda *_: ClockReading(self.broker_lag_s, 0.01))
        monkeypatch.setenv("SHARING_BOOTSTRAP", "broker.example.org:9092")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def issued(call: Call, empty_folder: Path) -> KeyCeremony:
    ceremony = make_ceremony(call, empty_folder / "ch")
    assert ceremony.run("issue").code == 0
    return ceremony


def prune(ceremony: KeyCeremony, *options: str) -> Any:
    result = ceremony.run("prune", "--json", *options, signers=())
    assert result.code == 0, result
    return result.json_document


def list_destroyed(ceremony: KeyCeremony, *options: str) -> list[tuple[str, str]]:
    return [(item["role"], item["key"]) for item in prune(ceremony, *options)["destroyed"]]


def test_what_is_kept_covers_what_topics_keep() -> None:
    assert KEEP_ENDED_DAYS * DAY_MS >= EXCHANGE_RETENTION_MS
    assert DRAFTS.retention_ms + COMPACTION_LAG_MAX_MS <= WRAPPED_DAYS * DAY_MS


def test_keys_in_force_and_their_successors_are_kept(issued: KeyCeremony) -> None:
    before = issued.list_files()
    document = prune(issued)
    assert (document["destroyed"], len(document["kept"])) == ([], 2 * len(KeyRole) + 1)
    reasons = {(item["role"], item["reason"]) for item in document["kept"]}
    expected = {("wrap", "the newest wrapping key: it wraps")}
    for role in KeyRole:
        expected |= {(str(role), f"the newest {role} key"), (str(role), f"the successor of the {role} key")}
    assert reasons == expected
    assert issued.list_files() == before


def test_a_signing_key_is_destroyed_at_its_end_and_a_seal_key_30_days_later(issued: KeyCeremony, clock: Clock) -> None:
    gate, seal = issued.find_key("gate"), issued.find_key("seal")
    clock.days = 20
    assert issued.run("rotate", "gate", "seal").code == 0
    assert list_destroyed(issued) == []
    clock.days = 29.9
    assert list_destroyed(issued) == []
    clock.days = 30.1
    assert list_destroyed(issued) == [("gate", gate["key"])]
    assert not (issued.keys / "private" / f"gate.{gate['key'][:16]}.key").exists()
    clock.days = 45
    assert issued.run("rotate", "gate", "seal").code == 0
    clock.days = 59.9
    assert ("seal", seal["key"]) not in list_destroyed(issued, "--dry-run")
    clock.days = 60.1
    assert ("seal", seal["key"]) in list_destroyed(issued)
    clock.days = 74
    assert issued.run("rotate", "gate", "seal").code == 0
    clock.days = 80.1
    destroyed = list_destroyed(issued)
    assert [role for role, _ in destroyed] == ["gate", "seal"], "those of the 20th and of the 45th day"
    assert issued.run("rotate", "gate", "seal").code == 0
    kept = {(item["role"], item["reason"]) for item in prune(issued)["kept"]}
    assert ("desk", "the newest desk key") in kept, "though no statement lists it any more"


def test_a_key_that_no_statement_lists_any_more_has_its_end_in_an_earlier_one(
    issued: KeyCeremony, clock: Clock
) -> None:
    """The newest statement drops a seal key 30 days after its end; its file is there, because nobody has pruned."""
    seal = issued.find_key("seal")
    for day in (25, 50, 75):
        clock.days = day
        assert issued.run("rotate", "seal").code == 0
    assert seal["key"] not in {key["key"] for key in issued.show()["keys"]["keys"]}
    assert ("seal", seal["key"]) in list_destroyed(issued)


def test_the_newest_key_is_kept_though_it_has_ended(issued: KeyCeremony, clock: Clock) -> None:
    clock.days = 300
    assert list_destroyed(issued) == []
    assert issued.run("issue").code == 0


def test_a_successor_that_never_came_into_force_is_destroyed(issued: KeyCeremony, clock: Clock) -> None:
    """After so long that no statement lists the key before it, any key may follow."""
    desk = issued.find_key("desk")
    for day in (29, 58, 61):
        clock.days = day
        assert issued.run("rotate", "gate").code == 0
    assert issued.run("issue").code == 0
    assert issued.find_key("desk")["key"] != desk["successor"]
    document = prune(issued)
    reasons = {item["key"]: item["reason"] for item in document["destroyed"]}
    assert reasons[desk["successor"]] == "named as a successor, but another key followed, so it never came into force"
    assert desk["key"] in reasons
    assert issued.run("rotate", "desk").code == 0


def test_a_dry_run_destroys_nothing(issued: KeyCeremony, clock: Clock) -> None:
    clock.days = 20
    assert issued.run("rotate", "seal").code == 0
    clock.days = 61
    before = issued.list_files()
    shown = issued.run("prune", "--dry-run", signers=())
    assert (shown.code, shown.out.count("would be destroyed  seal")) == (0, 1)
    assert "a backup that has one of these keys still opens what was sealed to it" in shown.err
    assert issued.list_files() == before
    done = issued.run("prune", signers=())
    assert (done.code, done.out.count("destroyed  seal"), done.out.count("kept  ")) == (0, 1, 13)


def test_a_revoked_key_ends_with_its_revocation(issued: KeyCeremony, clock: Clock) -> None:
    gate, seal, desk = (issued.find_key(role) for role in ("gate", "seal", "desk"))
    assert issued.run("revoke", gate["key"], gate["successor"], seal["key"], desk["successor"]).code == 0
    clock.days = 0.1
    assert list_destroyed(issued) == [("desk", desk["successor"]), ("gate", gate["successor"])], "gate: the newest"
    assert issued.run("issue").code == 0
    assert list_destroyed(issued) == [("gate", gate["key"]), ("seal", seal["successor"])]
    clock.days = 30.2
    assert ("seal", seal["key"]) in list_destroyed(issued)


def test_a_wrapping_key_is_destroyed_when_topics_keep_nothing_that_it_wrapped(
    issued: KeyCeremony, clock: Clock
) -> None:
    clock.days = 10
    assert issued.run("rotate", "wrap", signers=()).code == 0
    clock.days = 20
    assert issued.run("rotate", "wrap", signers=()).code == 0
    assert len(list((issued.keys / "private").glob("wrap.*"))) == 3
    clock.days = 10 + WRAPPED_DAYS - 0.1
    assert "wrap" not in dict(list_destroyed(issued, "--dry-run"))
    clock.days = 10 + WRAPPED_DAYS + 0.1
    assert [role for role, _ in list_destroyed(issued)].count("wrap") == 1
    clock.days = 2000
    assert [role for role, _ in list_destroyed(issued)].count("wrap") == 1
    assert len(list((issued.keys / "private").glob("wrap.*"))) == 1, "the newest stays"


def test_what_nothing_proves_is_kept(issued: KeyCeremony, call: Call, empty_folder: Path, clock: Clock) -> None:
    de = make_ceremony(call, empty_folder / "de", "DE")
    assert de.run("issue", "--role", "gate").code == 0
    foreign = next((de.keys / "private").glob("gate.*"))
    (issued.keys / "private" / foreign.name).write_bytes(foreign.read_bytes())
    (issued.keys / "private" / foreign.name).chmod(0o600)
    clock.days = 400
    kept = {item["file"]: item["reason"] for item in prune(issued)["kept"]}
    assert "a key of DE, not of CH" in kept[str(issued.keys / "private" / foreign.name)]


def test_what_a_killed_command_left_is_kept(issued: KeyCeremony, clock: Clock) -> None:
    """Its statement may be in another copy of the folder."""
    options = ("--folder", issued.keys, "--passphrase-file", issued.folder / "online.pass", *issued.sign(1, 2))
    run_killed("link", 1, "rotate", "gate", *options)  # one new successor, and no statement
    clock.days = 400
    (left,) = [item for item in prune(issued)["kept"] if item["reason"].startswith("no key statement names it")]
    assert left["role"] == "gate"


def test_a_second_name_of_the_file_is_destroyed_too(issued: KeyCeremony, clock: Clock) -> None:
    gate = issued.find_key("gate")
    assert issued.run("rotate", "gate").code == 0
    key = issued.keys / "private" / f"gate.{gate['key'][:16]}.key"
    (key.parent / f".{key.name}.0a1b2c3d.new").hardlink_to(key)
    clock.days = 31
    assert list_destroyed(issued) == [("gate", gate["key"])]
    assert not [path for path in key.parent.iterdir() if gate["key"][:16] in path.name]


@pytest.fixture
def ended(issued: KeyCeremony, clock: Clock) -> KeyCeremony:
    """A folder of which a clock that is 70 days ahead says that a gate key and a seal key have ended."""
    assert issued.run("rotate", "gate", "seal").code == 0
    clock.days = 70
    return issued


def test_a_clock_that_the_broker_contradicts_destroys_nothing(ended: KeyCeremony, clock: Clock) -> None:
    """Other States seal to this key, and what they have sealed could not be opened any more."""
    clock.broker_lag_s, before = 69 * 86_400, ended.list_files()
    refused = ended.run("prune", signers=())
    assert (refused.code, ended.list_files()) == (2, before)
    by_broker = dt.datetime.fromtimestamp(clock.real() + 86_400, dt.UTC)
    assert f"and by the broker's {by_broker:%Y-%m-%dT}" in refused.error
    assert refused.error.endswith("set the one that is wrong, and run this again; nothing was destroyed")
    assert "would be destroyed  seal" in ended.run("prune", "--dry-run", signers=()).out
    clock.broker_lag_s = 300
    assert {role for role, _ in list_destroyed(ended)} == {"gate", "seal"}, "within five minutes"


def test_a_clock_that_nothing_confirms_destroys_nothing(ended: KeyCeremony, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHARING_BOOTSTRAP")
    before = ended.list_files()
    refused = ended.run("prune", signers=())
    assert (refused.code, ended.list_files()) == (2, before)
    assert refused.error.startswith("only this machine's clock, which shows ")
    assert "give --today with the date that another clock shows, or --bootstrap" in refused.error


def test_a_broker_that_does_not_answer_destroys_nothing(ended: KeyCeremony, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> ClockReading:
        raise InfrastructureError("the broker's clock cannot be read: no answer")

    monkeypatch.setattr(clock_comparison, "read_broker_clock", fail)
    before = ended.list_files()
    refused = ended.run("prune", signers=())
    assert (refused.code, ended.list_files()) == (3, before)
    assert "or give --today with today's date" in refused.err


def test_a_person_confirms_the_date(ended: KeyCeremony, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHARING_BOOTSTRAP")
    before = ended.list_files()
    real = dt.datetime.fromtimestamp(clock.real(), dt.UTC).date()
    refused = ended.run("prune", "--today", str(real), signers=())
    assert (refused.code, ended.list_files()) == (2, before)
    assert refused.error.startswith(f"--today is {real}, and by this machine's clock it is ")
    assert "must be a day, such as 2026-03-01" in ended.run("prune", "--today", "soon", signers=()).error
    shown = real + dt.timedelta(days=71)  # in a time zone where the day has begun already
    assert [role for role, _ in list_destroyed(ended, "--today", str(shown))] == ["gate", "seal"]


def test_a_confirmed_date_counts_from_its_beginning(issued: KeyCeremony, clock: Clock) -> None:
    """A person reads no more than the day from the other clock."""
    assert issued.run("rotate", "gate").code == 0
    gate_end = clock.real() + 30 * 86_400
    clock.days = 30 + (86_400 - gate_end % 86_400 - 60) / 86_400  # a minute before the end of the day on which it ends
    assert list_destroyed(issued, "--dry-run") != []
    day = dt.datetime.fromtimestamp(gate_end, dt.UTC).date()
    assert list_destroyed(issued, "--today", str(day)) == []
    clock.days += 1
    assert [role for role, _ in list_destroyed(issued, "--today", str(day + dt.timedelta(days=1)))] == ["gate"]


def test_an_altered_statement_destroys_nothing(issued: KeyCeremony, clock: Clock) -> None:
    """Who writes to the folder must not make a key end earlier."""
    assert issued.run("rotate", "gate").code == 0
    first = issued.keys / "keys.1.json"
    first.write_text(first.read_text().replace('"valid_until":"20', '"valid_until":"19', 1))
    before = issued.list_files()
    refused = issued.run("prune", signers=())
    assert (refused.code, issued.list_files()) == (1, before)
    first.unlink()
    refused = issued.run("prune", signers=())
    assert (refused.code, "keys.1.json is missing" in refused.error) == (2, True)
    assert "has no root" in issued.call("keys", "prune", "--folder", issued.folder).error


def test_killed_between_two_keys_the_next_run_destroys_the_rest(issued: KeyCeremony, clock: Clock) -> None:
    gate, desk = issued.find_key("gate"), issued.find_key("desk")
    assert issued.run("revoke", gate["successor"], desk["successor"], "--at", "2026-01-01T00:00:00Z").code == 0
    run_killed("unlink", 1, "prune", "--folder", issued.keys, "--today", f"{dt.datetime.now(dt.UTC):%Y-%m-%d}")
    assert list_destroyed(issued) == [("gate", gate["successor"])]


def test_a_key_that_cannot_be_deleted_is_one_clear_error(
    issued: KeyCeremony, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert issued.run("rotate", "gate").code == 0
    clock.days = 31

    def fail(_: Path) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", lambda path, **_: fail(path))
    refused = issued.run("prune", signers=())
    assert (refused.code, "cannot be deleted: Read-only file system" in refused.error) == (3, True)


def test_a_key_in_a_token_is_destroyed_in_the_token(
    issued: KeyCeremony, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = make_soft_token(tmp_path / "token", monkeypatch)
    destroyed: list[str] = []
    real = pruning.destroy_private_key

    def watch(*arguments: Any) -> None:
        real(*arguments)
        if arguments[2] is not None and arguments[1].role == "desk":
            destroyed.append(str(arguments[2].destroy_signing_key(arguments[1].content.header.key)))

    monkeypatch.setattr("sharing.cli.keys.prune.destroy_private_key", watch)
    assert issued.run("rotate", "desk", "--token", token.address).code == 0  # its successor is in the token
    assert issued.run("rotate", "desk", "--token", token.address).code == 0  # which is now in force
    desk = issued.find_key("desk")
    assert issued.run("rotate", "desk", "--token", token.address).code == 0
    clock.days = 31
    kept = {item["key"]: item["reason"] for item in prune(issued)["kept"]}
    assert "but it is in the token 'CH keys': give --token" in kept[desk["key"]]
    assert ("desk", desk["key"]) in list_destroyed(issued, "--token", token.address)
    assert destroyed == ["False"], "it was not there any more"


def test_a_folder_without_private_keys_is_named(call: Call, empty_folder: Path) -> None:
    ceremony = make_ceremony(call, empty_folder / "new")
    result = ceremony.run("prune", signers=())
    assert (result.code, result.out) == (0, "")
    assert "there are no private keys in the key folder" in result.err
