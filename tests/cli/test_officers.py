"""`sharing officers`, as two registrars on two machines and an officer use it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sharing.cli.shared import clock_comparison
from sharing.kafka.broker_clock import ClockReading
from sharing.keystore.passphrases import read_passphrase_file
from sharing.keystore.private_key_file import read_private_key
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import OFFICERS
from tests.cli.conftest import Call, CommandResult
from tests.cli.key_ceremonies import KeyCeremony
from tests.kafka.topic_io import read_records, write_records

DAY_S = 86_400
PERSON = ("--name", "A. Muster", "--agency", "fedpol", "--authority", "POLICE")


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        broker.create_topics([OFFICERS.topic("CH")], 1)
        monkeypatch.setenv("SHARING_BOOTSTRAP", broker.bootstrap)
        yield broker


@dataclass(frozen=True)
class Registrars:
    """Two registrars of a State, each with a folder that has the public documents and one registrar key."""

    call: Call
    ceremony: KeyCeremony
    folders: tuple[Path, Path]

    def run(self, command: str, *arguments: str | Path, by: int = 0) -> CommandResult:
        options: list[str | Path] = ["--folder", self.folders[by]]
        if command not in {"list", "publish"}:
            options += ["--passphrase-file", self.ceremony.folder / "online.pass"]
        return self.call("officers", command, *arguments, *options)

    def make_key(self, name: str) -> Path:
        """Return the public file of an officer's new key."""
        self.ceremony.write_secret(f"{name}.pass", "an officer's passphrase")
        key = self.ceremony.folder / f"{name}.key"
        secret = self.ceremony.folder / f"{name}.pass"
        made = self.call(
            "officers", "make-key", "--state", self.ceremony.state, "--key", key, "--passphrase-file", secret, "--json"
        )
        assert made.code == 0, made
        return Path(made.json_document["files"][1])

    def list(self) -> Any:
        return self.run("list", "--json").json_document

    def add_judge(self, officer: str = "o-17", *roles: str) -> None:
        """Add an officer with roles, signed by both."""
        draft = self.ceremony.folder / f"{officer}.draft"
        options = [part for role in roles or ("PUBLIC_PROSECUTOR",) for part in ("--role", role)]
        added = self.run("add", officer, *PERSON, *options, "--key", self.make_key(officer), "--draft", draft)
        assert added.code == 0, added
        for result in (self.run("sign", draft, by=1), self.run("publish", draft, by=1)):
            assert result.code == 0, result


def make_registrars(call: Call, folder: Path, state: str = "CH", *options: str) -> Registrars:
    ceremony = KeyCeremony(call, folder / state.lower(), state)
    ceremony.prepare()
    assert ceremony.init(*options).code == 0
    assert ceremony.run("issue", "--role", "registrar").code == 0
    assert ceremony.run("rotate", "registrar").code == 0
    first, second = (key["key"] for key in ceremony.show()["keys"]["keys"])
    folders = tuple(split_folder(ceremony, key) for key in (first, second))
    return Registrars(call, ceremony, (folders[0], folders[1]))


def split_folder(ceremony: KeyCeremony, key: str) -> Path:
    """Return a folder with the public documents and this private key alone, as on the registrar's machine."""
    path = ceremony.folder / f"registrar-{key[:4]}"
    (path / "private").mkdir(parents=True, mode=0o700)
    path.chmod(0o700)
    for document in ceremony.keys.glob("*.json"):
        shutil.copy(document, path)
    shutil.copy(ceremony.keys / "private" / f"registrar.{key[:16]}.key", path / "private")
    return path


@pytest.fixture
def ch(call: Call, empty_folder: Path, broker: EmbeddedBroker) -> Registrars:
    return make_registrars(call, empty_folder)


def test_two_registrars_make_a_supervisor_although_no_law_names_the_role(ch: Registrars) -> None:
    alone = ch.run("add", "o-9", *PERSON, "--role", "SUPERVISOR", "--key", ch.make_key("sole"))
    assert (alone.code, "two registrars must sign" in alone.error) == (2, True)
    ch.add_judge("o-9", "SUPERVISOR")
    assert [each["roles"] for each in ch.list()["officers"]] == [["SUPERVISOR"]]
    unknown = ch.run("add", "o-8", *PERSON, "--role", "SUPERVISER", "--key", ch.make_key("o-8"))
    assert "did you mean 'SUPERVISOR'?" in unknown.error
    assert "every State has SUPERVISOR" in unknown.error


def test_two_registrars_add_an_officer_and_one_revokes(ch: Registrars) -> None:
    draft = ch.ceremony.folder / "draft"
    key = ch.make_key("judge")
    without = ch.run("add", "o-17", *PERSON, "--role", "PUBLIC_PROSECUTOR", "--key", key)
    assert (without.code, "two registrars must sign. Give --draft FILE" in without.error) == (2, True)
    added = ch.run("add", "o-17", *PERSON, "--role", "PUBLIC_PROSECUTOR", "--key", key, "--draft", draft, "--json")
    assert (added.code, added.json_document["published"]) == (0, False)
    assert ch.list() == {"state": "CH", "officers": [], "refused": []}
    early = ch.run("publish", draft)
    assert (early.code, "needs 2" in early.error) == (1, True)
    alone = ch.run("sign", draft)
    assert (alone.code, "has the registrar key that has already signed" in alone.error) == (2, True)
    signed = ch.run("sign", draft, "--json", by=1).json_document
    assert signed["digest"] == added.json_document["digest"]
    assert len(signed["officer"]["signers"]) == 2
    published = ch.run("publish", draft, "--json", by=1).json_document
    (listed,) = ch.list()["officers"]
    assert listed == published["officer"]
    assert (listed["id"], listed["roles"], listed["status"]) == ("o-17", ["PUBLIC_PROSECUTOR"], "in force")
    assert ch.run("publish", draft).code == 0  # a second time changes nothing

    extended = ch.run("renew", "--json", by=1).json_document
    assert ([each["id"] for each in extended["renewed"]], extended["limited"]) == (["o-17"], [])
    assert len(extended["renewed"][0]["signers"]) == 1
    revoked = ch.run("revoke", "o-17", "--json").json_document
    assert [each["status"] for each in revoked["revoked"]] == ["revoked"]
    shown = ch.run("list")
    assert "o-17: A. Muster, fedpol (POLICE), revoked since " in shown.out
    replayed = ch.run("publish", draft)
    assert (replayed.code, "is older than" in replayed.error) == (1, True)
    again = ch.run("add", "o-17", "--role", "PUBLIC_PROSECUTOR")
    assert (again.code, "two registrars must sign" in again.error) == (2, True)
    late = ch.run("renew", "o-17")
    assert (late.code, "is not in force" in late.error) == (2, True)


def test_one_registrar_narrows_and_extends_but_widens_nothing(ch: Registrars) -> None:
    ch.add_judge("o-1", "PUBLIC_PROSECUTOR", "HEAD_OF_AUTHORITY")
    narrowed = ch.run("add", "o-1", "--role", "HEAD_OF_AUTHORITY", "--json")
    assert (narrowed.code, narrowed.json_document["officer"]["roles"]) == (0, ["HEAD_OF_AUTHORITY"])
    for more in (("--role", "PUBLIC_PROSECUTOR"), ("--agency", "customs"), ("--key", ch.make_key("other"))):
        refused = ch.run("add", "o-1", *more)
        assert (refused.code, "two registrars must sign" in refused.error) == (2, True)
    assert ch.run("add", "o-1", "--without-roles").code == 0
    contact = ch.run("add", "o-2", *PERSON, "--key", ch.make_key("contact"), "--days", "30")
    assert contact.code == 0, contact
    assert {each["id"]: each["roles"] for each in ch.list()["officers"]} == {"o-1": [], "o-2": []}


def test_an_officers_own_key_is_under_a_passphrase_that_only_the_officer_has(ch: Registrars) -> None:
    public = ch.make_key("judge")
    private, secret = public.with_name("judge.key"), public.with_name("judge.pass")
    assert private.stat().st_mode & 0o777 == 0o600
    opened = read_private_key(private, read_passphrase_file(secret))
    assert opened.header.role == "officer"
    assert opened.public_key.public == json.loads(public.read_text())["key"]["public"]
    again = ch.call("officers", "make-key", "--state", "CH", "--key", private, "--passphrase-file", secret)
    assert (again.code, "exists already" in again.error) == (2, True)
    which = ch.call("officers", "make-key", "--key", "x.key", "--passphrase-file", secret)
    assert (which.code, "which State?" in which.error) == (2, True)
    asked = ch.call("officers", "make-key", "--state", "CH", "--key", "x.key")
    assert (asked.code, "no passphrase was given for x.key" in asked.error) == (2, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--role", "PUBLIC_PROSECUTER"), "such approver; did you mean"),
        (("--role", "PUBLIC_PROSECUTOR", "--without-roles"), "contradict each other"),
        (("--days", "91"), "at most 90"),
        (("--authority", "KING"), "--authority is given more than once"),
    ],
)
def test_bad_input_is_refused(ch: Registrars, options: tuple[str, ...], message: str) -> None:
    refused = ch.run("add", "o-1", *PERSON, "--key", ch.make_key("o-1"), *options, "--draft", ch.folders[0] / "x")
    assert (refused.code, message in refused.err) == (2, True), refused
    assert ch.list()["officers"] == []


def test_what_is_missing_or_unknown_is_named(ch: Registrars, empty_folder: Path) -> None:
    key = ch.make_key("o-1")
    for arguments, message in (
        (("add", "o-1", "--name", "A"), "o-1 is a new officer of CH: give agency, authority, keys or passkeys, too"),
        (("add", "O 1", *PERSON, "--key", key), "id: "),
        (("add", "o-1", *PERSON, "--key", ch.folders[0] / "root.1.json"), "is not the public file of an officer's key"),
        (("revoke", "o-9"), "o-9: is not in the register"),
        (("renew", "o-9"), "o-9: is not in force"),
        (("revoke", "o-9", "--at", "yesterday"), "--at yesterday: must be a time"),
        (("sign", key), "is not an entry written by"),
    ):
        refused = ch.run(*arguments)
        assert (refused.code != 0, message in refused.error) == (True, True), refused


def test_the_wrong_passphrase_and_a_folder_without_a_key_are_named(ch: Registrars) -> None:
    key = ch.make_key("o-1")
    ch.ceremony.write_secret("online.pass", "another passphrase")
    refused = ch.run("add", "o-1", *PERSON, "--key", key)
    assert (refused.code, "the passphrase is wrong" in refused.error) == (2, True)
    next((ch.folders[0] / "private").iterdir()).unlink()
    refused = ch.run("add", "o-1", *PERSON, "--key", key)
    assert (refused.code, "does not have the private key of a registrar key in force" in refused.error) == (2, True)


def test_another_states_registrars_sign_nothing_here(ch: Registrars, call: Call, empty_folder: Path) -> None:
    de = make_registrars(call, empty_folder, "DE")
    foreign_key = de.make_key("o-1")
    refused = ch.run("add", "o-1", *PERSON, "--key", foreign_key)
    assert (refused.code, "is the key of an officer of DE, not of CH" in refused.error) == (2, True)
    draft = ch.ceremony.folder / "draft"
    options = (*PERSON, "--role", "PUBLIC_PROSECUTOR", "--key", ch.make_key("o-1"), "--draft", draft)
    assert ch.run("add", "o-1", *options).code == 0
    refused = de.run("sign", draft)
    assert (refused.code, "is an officer's entry of CH, not of DE" in refused.error) == (1, True)
    altered = draft.read_bytes().replace(b"A. Muster", b"B. Muster")
    draft.write_bytes(altered)
    refused = ch.run("sign", draft, by=1)
    assert (refused.code, "signature on this officer is not valid" in refused.error) == (1, True)


def test_one_registrar_extends_until_a_year_after_two_have_signed(
    call: Call, empty_folder: Path, broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    ch = make_registrars(call, empty_folder, "CH", "--online-days", "366", "--days", "3660")
    ch.add_judge()
    real = time.time
    for day in (80, 160, 240):
        monkeypatch.setattr("time.time", lambda day=day: real() + day * DAY_S)
        assert ch.run("renew", "--json").json_document["limited"] == []
    monkeypatch.setattr("time.time", lambda: real() + 320 * DAY_S)
    last = ch.run("renew", by=1)
    assert (last.code, "o-17 ends a year after two registrars have signed" in last.err) == (0, True)
    draft = empty_folder / "again"
    assert ch.run("add", "o-17", "--again", "--draft", draft).code == 0
    assert ch.run("sign", draft, by=1).code == 0
    assert ch.run("publish", draft).code == 0
    assert ch.run("renew", "--json").json_document["limited"] == []


def test_nothing_is_shown_or_signed_once_the_key_statement_has_expired(
    ch: Registrars, monkeypatch: pytest.MonkeyPatch
) -> None:
    ch.add_judge()
    real = time.time
    monkeypatch.setattr("time.time", lambda: real() + 31 * DAY_S)
    for command in (("list",), ("renew",), ("revoke", "o-17")):
        refused = ch.run(*command)
        assert (refused.code, "key statement 2 has expired" in refused.error) == (1, True)


def test_nothing_is_signed_for_others_by_a_wrong_clock(ch: Registrars, monkeypatch: pytest.MonkeyPatch) -> None:
    """A revocation by a clock that is ahead would have no effect until then."""
    ch.add_judge()
    monkeypatch.setattr(clock_comparison, "read_broker_clock", lambda *_: ClockReading(3600.0, 0.01))
    draft = ch.ceremony.folder / "o-17.draft"
    for arguments in (("revoke", "o-17"), ("renew", "o-17"), ("publish", draft)):
        refused = ch.run(*arguments)
        assert refused.code == 2
        assert refused.error.endswith("set the one that is wrong, and run this again; nothing was written")
    assert [each["id"] for each in ch.list()["officers"]] == ["o-17"], "what only reads needs no clock"
    monkeypatch.setattr(clock_comparison, "read_broker_clock", lambda *_: ClockReading(0.0, 0.01))
    assert ch.run("revoke", "o-17").code == 0


def test_a_replayed_record_is_shown_and_restored(ch: Registrars, broker: EmbeddedBroker) -> None:
    ch.add_judge()
    (old,) = read_records(broker, OFFICERS.topic("CH"), 1)
    assert ch.run("revoke", "o-17").code == 0
    write_records(broker, OFFICERS.topic("CH"), [old.value()], key=b"o-17")
    write_records(broker, OFFICERS.topic("CH"), [None], key=b"o-18")
    listed = ch.list()
    assert [each["status"] for each in listed["officers"]] == ["revoked"]
    assert [(each["officer"], each["fault"]) for each in listed["refused"]] == [
        ("o-17", "ROLLED_BACK"), ("o-18", "UNSIGNED"),
    ]  # fmt: skip
    assert "a record of o-17 was refused" in ch.run("list").err
    assert ch.run("add", "o-2", *PERSON, "--key", ch.make_key("o-2")).code == 0
    assert [each["officer"] for each in ch.list()["refused"]] == ["o-18"]


@pytest.mark.usefixtures("short_connect_timeout")
def test_without_a_broker_or_a_folder_the_command_says_so(ch: Registrars, call: Call) -> None:
    refused = call("officers", "list")
    assert (refused.code, "no key folder is set" in refused.error) == (2, True)
    refused = ch.run("list", "--bootstrap", "127.0.0.1:1")
    assert (refused.code, "127.0.0.1:1" in refused.error) == (3, True)
