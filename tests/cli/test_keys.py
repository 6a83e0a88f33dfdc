"""`sharing keys`: a State's own root and online keys."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from sharing.keystore.passphrases import read_passphrase_file
from sharing.keystore.private_key_file import read_private_key
from sharing.model.times import HOUR_MS, format_time
from sharing.trust.canonical import encode_canonical
from sharing.trust.public_keys import KeyRole, PublishedKey
from tests.cli.conftest import Call
from tests.cli.key_ceremonies import ONLINE_PASSPHRASE, ROOT_PASSPHRASES, KeyCeremony, make_ceremony


@pytest.fixture
def ch(call: Call, empty_folder: Path) -> KeyCeremony:
    """CH with its root, two of three."""
    return make_ceremony(call, empty_folder / "ch")


@pytest.fixture
def issued(ch: KeyCeremony) -> KeyCeremony:
    """CH with online keys of all roles."""
    assert ch.run("issue").code == 0
    return ch


def test_init_makes_a_root(call: Call, empty_folder: Path) -> None:
    ceremony = KeyCeremony(call, empty_folder / "ch")
    ceremony.prepare()
    document = ceremony.init("--json").json_document
    assert (document["state"], document["root"]["version"], document["root"]["threshold"]) == ("CH", 1, 2)
    groups = document["root"]["fingerprint"].split(" ")
    assert [len(group) for group in groups] == [4] * 16
    assert len(document["files"]) == 4
    shown = ceremony.run("show", signers=())
    assert (shown.code, document["root"]["fingerprint"] in shown.out) == (1, True)
    assert "run `sharing keys issue`" in shown.err


def test_every_private_file_is_readable_by_its_owner_only(issued: KeyCeremony) -> None:
    private = list(issued.folder.rglob("*.key"))
    assert len(private) == 3 + 2 * len(KeyRole) + 1
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}
    assert (issued.keys / "private").stat().st_mode & 0o777 == 0o700


def test_init_overwrites_nothing(ch: KeyCeremony) -> None:
    before = ch.list_files()
    result = ch.init()
    assert (result.code, "has a root already" in result.error) == (2, True)
    (ch.keys / "root.1.json").rename(ch.folder / "moved")
    result = ch.init()
    assert (result.code, "root1.key exists already, and is not overwritten" in result.error) == (2, True)
    assert len(ch.list_files()) == len(before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--threshold", "4"], "the threshold is higher than the number of keys"),
        (["--root", "ch/root1.key"], "given twice"),
        (["--root-passphrase-file", "ch/online.pass"], "once for each of the 3 key files"),
    ],
)
def test_init_refuses_what_cannot_be(call: Call, empty_folder: Path, options: list[str], message: str) -> None:
    ceremony = KeyCeremony(call, Path("ch"))
    ceremony.prepare()
    result = ceremony.init(*options)
    assert (result.code, message in result.error) == (2, True)
    assert not [name for name in ceremony.list_files() if not name.endswith(".pass")]


def test_issue_names_a_key_and_a_successor_for_each_role(issued: KeyCeremony) -> None:
    document = issued.show()
    assert [key["role"] for key in document["keys"]["keys"]] == [str(role) for role in KeyRole]
    assert document["findings"] == []
    passphrase = read_passphrase_file(issued.folder / "online.pass")
    for key in document["keys"]["keys"]:
        for key_id in (key["key"], key["successor"]):
            file = issued.keys / "private" / f"{key['role']}.{key_id[:16]}.key"
            assert read_private_key(file, passphrase).public_key.key_id == key_id


def test_roles_can_be_issued_one_by_one(ch: KeyCeremony) -> None:
    assert ch.run("issue", "--role", "gate", "--role", "seal", "--seal-algorithm", "x25519").code == 0
    assert [(key["role"], key["algorithm"]) for key in ch.show()["keys"]["keys"]] == [
        ("gate", "ed25519"), ("seal", "x25519"),
    ]  # fmt: skip
    refused = ch.run("issue", "--role", "gate")
    assert (refused.code, "sharing keys rotate gate" in refused.error) == (2, True)
    assert ch.run("issue").code == 0
    assert len(ch.show()["keys"]["keys"]) == len(KeyRole)
    assert "sharing keys rotate" in ch.run("issue").error
    assert ch.run("issue", "--seal-algorithm", "ed25519").code == 2
    assert ch.run("issue", "--days", "31").code == 2


def test_rotate_puts_the_successor_into_force(issued: KeyCeremony) -> None:
    before, seal = issued.find_key("gate"), issued.find_key("seal")
    assert issued.run("rotate", "gate", "seal", signers=(2, 3)).code == 0
    lines = issued.run("show", signers=()).out.splitlines()
    (old, new) = (number for number, line in enumerate(lines) if line.startswith("gate  "))
    assert lines[old + 2].startswith("    replaced by its successor from ")
    assert new == old + 3, "keys of one role are listed together, the present one last"
    assert not lines[new + 2].startswith("    replaced")
    after = issued.find_key("gate")
    assert after["key"] == before["successor"] != after["successor"]
    assert issued.find_key("seal")["key"] == seal["successor"]
    assert len(issued.show()["keys"]["keys"]) == len(KeyRole) + 2


def test_rotate_refuses_what_is_no_role_or_has_no_key(ch: KeyCeremony) -> None:
    assert "did you mean 'gate'?" in ch.run("rotate", "gat").error
    assert "has no key in force" in ch.run("rotate", "gate").error
    assert "must be rotated on its own" in ch.run("rotate", "root", "gate").error
    assert "are for `sharing keys rotate root`" in ch.run("rotate", "gate", "--threshold", "1").error


def test_without_the_successor_it_is_revoked_and_another_key_follows(issued: KeyCeremony) -> None:
    key = issued.find_key("gate")
    (issued.keys / "private" / f"gate.{key['successor'][:16]}.key").unlink()
    refused = issued.run("rotate", "gate")
    assert (refused.code, f"sharing keys revoke {key['successor'][:16]}" in refused.error) == (2, True)
    assert issued.run("revoke", key["successor"][:16]).code == 0
    assert issued.run("rotate", "gate").code == 0
    assert issued.find_key("gate")["key"] not in {key["key"], key["successor"]}


def test_a_revoked_key_is_replaced_by_a_new_one(issued: KeyCeremony) -> None:
    key = issued.find_key("desk")
    result = issued.run("revoke", key["key"][:12], "--json")
    assert [item["key"] for item in result.json_document["revocations"]] == [key["key"]]
    assert "no key in force for desk" in result.err
    shown = issued.run("show", signers=())
    assert (shown.code, "sharing keys issue --role desk" in shown.err) == (1, True)
    assert issued.run("issue").code == 0
    assert issued.find_key("desk")["key"] not in {key["key"], key["successor"]}
    assert issued.run("show", signers=()).code == 0


def test_a_revoked_gate_key_has_messages_to_send_again(issued: KeyCeremony) -> None:
    """At once or in the past: an hour before it is proposed. Nothing is to be sent again where nothing is refused."""
    first, ahead = issued.find_key("gate")["key"], format_time(time.time_ns() // 1_000_000 + HOUR_MS)
    assert "sharing keys resend" not in issued.run("revoke", issued.find_key("seal")["key"]).err
    assert "sharing keys resend" not in issued.run("revoke", first, "--at", ahead).err
    result = issued.run("revoke", issued.find_key("gate")["successor"], "--at", "2026-03-01T12:00:00Z")
    assert "sharing keys resend" not in result.err, "a successor has signed nothing"
    again = issued.run("revoke", first, "--at", "2026-03-01T12:00:00Z")
    assert "`sharing keys resend --state CH --since 2026-03-01T11:00:00.000Z`" in again.err


def test_what_a_revoked_key_has_signed_is_to_be_signed_again(issued: KeyCeremony) -> None:
    directory = issued.run("revoke", issued.find_key("directory")["key"])
    assert "`sharing directory announce` announces the entry again" in directory.err
    registrar = issued.run("revoke", issued.find_key("registrar")["key"])
    assert "`sharing officers list` shows which officers remain" in registrar.err
    assert "announce" not in registrar.err


def test_a_statement_that_was_issued_later_than_now_is_one_clear_sentence(
    issued: KeyCeremony, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock was ahead when it was issued. No other State accepts it, so it can be taken back."""
    real = time.time
    monkeypatch.setattr("time.time", lambda: real() + 20 * 86_400)
    assert issued.run("rotate", "gate").code == 0
    monkeypatch.setattr("time.time", real)
    gate, files = issued.find_key("gate"), issued.list_files()
    for command in (("rotate", "gate"), ("rotate", "root"), ("issue", "--role", "gate"), ("revoke", gate["key"])):
        refused = issued.run(*command)
        assert refused.code == 2, command
        assert "CH: key statement 2 was issued at " in refused.error
        assert "move keys.2.json out of every copy of the folder" in refused.error
    shown = issued.run("show", signers=())
    assert (shown.code, "move keys.2.json out of every copy" in shown.err) == (1, True)
    assert issued.list_files() == files
    (issued.keys / "keys.2.json").unlink()
    assert issued.run("rotate", "gate").code == 0
    assert issued.run("show", signers=()).code == 0


def test_keys_of_another_state_are_not_backed_up(issued: KeyCeremony, call: Call, empty_folder: Path) -> None:
    de = make_ceremony(call, empty_folder / "de", "DE")
    assert de.run("issue", "--role", "seal").code == 0
    for path in (de.keys / "private").iterdir():
        (issued.keys / "private" / path.name).write_bytes(path.read_bytes())
        (issued.keys / "private" / path.name).chmod(0o600)
    shares = [part for number in (1, 2) for part in ("--share", str(empty_folder / f"share{number}"))]
    backed_up = issued.run("backup", str(empty_folder / "b"), *shares, "--threshold", "2", "--json", signers=())
    assert len(backed_up.json_document["keys"]) == 3
    shown = issued.run("show", signers=())
    assert (shown.code, shown.err.count("is a key of DE, not of CH; move it elsewhere")) == (1, 3)


def test_a_revocation_may_have_another_time(issued: KeyCeremony) -> None:
    key = issued.find_key("gate")
    assert issued.run("revoke", key["key"], "--at", "2026-03-01T13:00:00+01:00").code == 0
    assert issued.show()["keys"]["revocations"] == [{"key": key["key"], "effective_at": "2026-03-01T12:00:00.000Z"}]
    assert "with a zone" in issued.run("revoke", key["key"], "--at", "2026-03-01T12:00:00").error
    assert "from 2000 to 2099" in issued.run("revoke", key["key"], "--at", "1999-01-01T00:00:00Z").error
    assert "no key begins with these digits" in issued.run("revoke", "0" * 12).error
    root_key = issued.show()["root"]["keys"][0]
    assert issued.run("revoke", root_key).code == 2


@pytest.mark.parametrize("signers", [(1,), (1, 1)])
def test_fewer_root_keys_than_the_threshold_sign_nothing(ch: KeyCeremony, signers: tuple[int, ...]) -> None:
    before = ch.list_files()
    refused = ch.run("issue", signers=signers)
    assert (refused.code, "root keys that must sign: 2; given: 1" in refused.error) == (
        2,
        True,
    )
    assert ch.list_files() == before


def test_a_wrong_passphrase_signs_nothing(issued: KeyCeremony) -> None:
    before = issued.list_files()
    issued.write_secret("root2.pass", "not the passphrase")
    refused = issued.run("rotate", "gate")
    assert (refused.code, "root2.key: the passphrase is wrong" in refused.error) == (2, True)
    issued.write_secret("root2.pass", ROOT_PASSPHRASES[1])
    issued.write_secret("online.pass", "not the passphrase")
    refused = issued.run("rotate", "gate")
    assert (refused.code, ".key: the passphrase is wrong" in refused.error) == (2, True)
    assert issued.list_files() == before


def test_keys_of_another_state_do_not_sign(ch: KeyCeremony, call: Call, empty_folder: Path) -> None:
    de = make_ceremony(call, empty_folder / "de", "DE")
    refused = ch.call("keys", "issue", "--folder", ch.keys, *de.sign(1, 2))
    assert (refused.code, "is not a key of version 1 of the root of CH" in refused.error) == (2, True)


def test_an_altered_folder_is_refused(issued: KeyCeremony) -> None:
    path = issued.keys / "keys.1.json"
    text = path.read_text()
    path.write_text(text.replace('"role":"gate"', '"role":"desk"', 1))
    assert (issued.run("show", signers=()).code, issued.run("issue").code) == (1, 1)
    path.write_text(text[:-10])
    assert "is not JSON" in issued.run("show", signers=()).error
    path.write_text(text)
    (issued.keys / "private" / "gate.0000000000000000.key").write_text("{}")
    assert issued.run("show", signers=()).code == 1


def test_show_reports_files_that_others_may_read(issued: KeyCeremony) -> None:
    path = next((issued.keys / "private").glob("gate.*"))
    path.chmod(0o640)
    shown = issued.run("show", signers=())
    assert (shown.code, f"chmod 600 {path}" in shown.err) == (1, True)


@pytest.mark.parametrize("name", ["keys", "keys/private"])
def test_show_reports_folders_that_others_may_write_to(issued: KeyCeremony, name: str) -> None:
    (issued.folder / name).chmod(0o770)
    shown = issued.run("show", signers=())
    assert (shown.code, f"other users may write to {issued.folder / name}" in shown.err) == (1, True)


def test_an_older_document_in_the_place_of_the_newest_is_refused(issued: KeyCeremony) -> None:
    older = issued.keys / "keys.1.json"
    (issued.keys / "keys.2.json").write_bytes(older.read_bytes())
    assert "keys.2.json contains keys.1.json" in issued.run("show", signers=()).error
    assert issued.run("rotate", "gate").code == 2
    (issued.keys / "root.2.json").write_bytes((issued.keys / "root.1.json").read_bytes())
    assert "root.2.json contains root.1.json" in issued.run("show", signers=()).error


@pytest.mark.parametrize(("kind", "missing"), [("keys", 1), ("keys", 2), ("root", 1), ("root", 2)])
def test_a_missing_version_is_one_clear_error(issued: KeyCeremony, kind: str, missing: int) -> None:
    for command in (("rotate", "root"), ("rotate", "root")):
        assert issued.run(*command).code == 0
    (issued.keys / f"{kind}.{missing}.json").unlink()
    before = issued.list_files()
    for result in (issued.run("show", signers=()), issued.run("rotate", "gate"), issued.run("rotate", "root")):
        expected = f"{kind}.{missing}.json is missing, and {kind}.3.json is there: every version is kept"
        assert (result.code, expected in result.error) == (2, True)
    assert issued.list_files() == before


def test_it_is_said_which_root_key_is_in_which_file(call: Call, empty_folder: Path) -> None:
    ceremony = KeyCeremony(call, empty_folder / "ch")
    ceremony.prepare()
    said = ceremony.init().err
    for number, key in enumerate(ceremony.show()["root"]["keys"], start=1):
        assert f"root{number}.key, the root key {key[:16]}" in said
        header = json.loads((ceremony.folder / f"root{number}.key").read_text())["header"]
        assert PublishedKey.model_validate_json(json.dumps(header["key"])).key_id == key


def test_nothing_is_made_if_one_of_the_places_is_not_there(issued: KeyCeremony) -> None:
    """Otherwise an interrupted ceremony leaves a root key, or a share of a backup, that belongs to nothing."""
    before, missing = issued.list_files(), issued.folder / "missing" / "file"
    where = ("--state", "NO", "--folder", issued.folder / "no", "--threshold", "1")
    for result in (
        issued.call("keys", "init", *where, "--root", issued.folder / "a.key", "--root", missing),
        issued.run("rotate", "root", "--new-root", issued.folder / "a.key", "--new-root", missing),
        issued.run(
            "backup", issued.folder / "b", "--share", issued.folder / "s", "--share", missing, "--threshold", "2",
            signers=(),
        ),
    ):  # fmt: skip
        assert (result.code, "does not exist; create it, or insert the medium" in result.error) == (2, True)
    assert issued.list_files() == before


def test_show_reports_what_a_killed_command_has_left(issued: KeyCeremony) -> None:
    """The draft is a second name of the key's file: anyone who destroys the key must destroy it, too."""
    key = next((issued.keys / "private").glob("seal.*.key"))
    (issued.keys / "private" / f".{key.name}.0a1b2c3d.new").hardlink_to(key)
    (issued.keys / ".keys.2.json.0a1b2c3d.new").touch()
    shown = issued.run("show", signers=())
    assert (shown.code, shown.err.count("was left by a command that was killed; delete it")) == (1, 2)


def test_the_cause_is_named_when_a_statement_is_altered_after_a_new_root(issued: KeyCeremony) -> None:
    assert issued.run("rotate", "root").code == 0
    newest = issued.keys / "keys.2.json"
    document = json.loads(newest.read_text())
    document["signatures"] = document["signatures"][:1]
    newest.write_bytes(encode_canonical(document))
    assert "1 valid signatures of 2 that are needed" in issued.run("show", signers=()).error


@pytest.mark.parametrize(
    ("days", "ends"), [(23, ()), (25, ("the key statement", "the gate key")), (300, ()), (340, ("the root",))]
)
def test_what_ends_soon_is_shown_before_it_ends(
    issued: KeyCeremony, monkeypatch: pytest.MonkeyPatch, days: int, ends: tuple[str, ...]
) -> None:
    real = time.time
    monkeypatch.setattr("time.time", lambda: real() + days * 86_400)
    shown = issued.run("show", signers=())
    assert shown.code == int(bool(ends) or days > 30)
    for what in ("the root", "the key statement", "the gate key"):
        assert (f"{what} ends at 20" in shown.err) == (what in ends)


def test_expiry_is_shown_and_repaired(issued: KeyCeremony, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time
    monkeypatch.setattr("time.time", lambda: real() + 31 * 86_400)
    shown = issued.run("show", signers=())
    assert (shown.code, "has expired at" in shown.err, "gate: no key is in force" in shown.err) == (1, True, True)
    assert "has no key in force" in issued.run("rotate", "gate").error
    successor = find_expired_successor(issued)
    assert issued.run("issue").code == 0
    assert issued.find_key("gate")["key"] == successor
    monkeypatch.setattr("time.time", lambda: real() + 400 * 86_400)
    refused = issued.run("issue")
    assert (refused.code, "version 1 of the root has expired" in refused.error) == (1, True)
    assert issued.run("rotate", "root").code == 0
    assert issued.run("issue").code == 0
    assert issued.run("show", signers=()).code == 0


def find_expired_successor(ceremony: KeyCeremony) -> str:
    document = ceremony.run("show", "--json", signers=()).json_document
    return str(next(key["successor"] for key in document["keys"]["keys"] if key["role"] == "gate"))


def test_a_backup_is_restored_by_a_threshold_of_custodians(issued: KeyCeremony) -> None:
    assert issued.run("rotate", "seal").code == 0
    shares = [issued.folder / f"share{number}" for number in (1, 2, 3)]
    options = [part for share in shares for part in ("--share", share)]
    made = issued.run("backup", issued.folder / "backup", "--threshold", "2", *options, "--json", signers=())
    assert (made.code, made.json_document["threshold"], len(made.json_document["keys"])) == (0, 2, 4)
    assert {share.stat().st_mode & 0o777 for share in shares} == {0o600}
    passphrase = read_passphrase_file(issued.folder / "online.pass")
    before = {
        path.name: read_private_key(path, passphrase)
        for role in ("seal", "wrap")
        for path in sorted((issued.keys / "private").glob(f"{role}.*"))
    }
    for path in (issued.keys / "private").iterdir():
        path.unlink()
    issued.write_secret("online.pass", "a new passphrase")
    restore = ("restore", issued.folder / "backup", "--share", shares[2])
    refused = issued.run(*restore, signers=())
    assert (refused.code, "shares that open this backup: 2; given: 1;" in refused.error) == (
        2,
        True,
    )
    restored = issued.run(*restore, "--share", shares[0], "--json", signers=())
    assert sorted(restored.json_document["restored"]) == sorted(made.json_document["keys"])
    passphrase = read_passphrase_file(issued.folder / "online.pass")
    for name, key in before.items():
        assert read_private_key(issued.keys / "private" / name, passphrase) == key
    again = issued.run(*restore, "--share", shares[1], "--json", signers=())
    assert (again.json_document["restored"], len(again.json_document["kept"])) == ([], 4)


def test_a_backup_is_of_one_state_and_of_seal_keys(ch: KeyCeremony, call: Call, empty_folder: Path) -> None:
    shares = ("--share", ch.folder / "s1", "--share", ch.folder / "s2", "--threshold", "2")
    assert "has no seal keys" in ch.run("backup", ch.folder / "backup", *shares, signers=()).error
    assert ch.run("issue").code == 0
    assert ch.run("backup", ch.folder / "backup", *shares, signers=()).code == 0
    assert "exists already" in ch.run("backup", ch.folder / "backup", *shares, signers=()).error
    de = make_ceremony(call, empty_folder / "de", "DE")
    refused = de.run("restore", ch.folder / "backup", *shares[:4], signers=())
    assert (refused.code, "is a backup of CH" in refused.error) == (2, True)


def test_a_process_killed_before_the_statement_leaves_keys_that_nothing_names(ch: KeyCeremony) -> None:
    program = """
import os, signal, sys
from sharing.keystore import encryption, key_folder
from sharing.cli import main
encryption.SCRYPT_LOG_N = 10
key_folder.KeyFolder.write_keys = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
main()
"""
    arguments = ["keys", "issue", "--folder", ch.keys, "--passphrase-file", ch.folder / "online.pass", *ch.sign(1, 2)]
    killed = subprocess.run([sys.executable, "-c", program, *arguments], check=False, timeout=120, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed
    assert len(list((ch.keys / "private").glob("*.key"))) == 2 * len(KeyRole) + 1
    assert ch.show()["keys"] is None
    assert ch.run("issue").code == 0
    assert ch.run("show", signers=()).code == 0


def test_without_files_the_passphrases_are_asked_for_at_a_terminal(
    ch: KeyCeremony, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = ("--root", ch.folder / "root1.key", "--root", ch.folder / "root3.key")
    issue = ("keys", "issue", "--role", "gate", "--folder", ch.keys, *roots)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert "give --root-passphrase-file, or run this in a terminal" in call(*issue).error
    answers = iter((ROOT_PASSPHRASES[0], ROOT_PASSPHRASES[2], ONLINE_PASSPHRASE))
    prompts: list[tuple[str, bool, bool]] = []

    def answer(text: str, **options: Any) -> str:
        prompts.append((text, options["hide_input"], options["confirmation_prompt"]))
        return next(answers)

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.prompt", answer)
    result = call(*issue)
    assert result.code == 0
    assert prompts == [
        (f"Passphrase of {ch.folder / 'root1.key'}", True, False),
        (f"Passphrase of {ch.folder / 'root3.key'}", True, False),
        ("Passphrase of the online keys", True, True),
    ]
    assert "canary" not in result.out + result.err
    monkeypatch.setattr("typer.prompt", lambda *_, **__: "short")
    assert "at least 12 characters" in call(*issue[:3], "desk", *issue[4:]).error


def test_settings_name_folder_state_and_passphrase(
    ch: KeyCeremony, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHARING_KEY_FOLDER", str(ch.keys))
    monkeypatch.setenv("SHARING_KEY_PASSPHRASE_FILE", str(ch.folder / "online.pass"))
    assert call("keys", "issue", *ch.sign(1, 2)).code == 0
    assert call("keys", "show").code == 0
    monkeypatch.delenv("SHARING_KEY_FOLDER")
    assert "SHARING_KEY_FOLDER" in call("keys", "show").error
    assert "SHARING_STATE" in call("keys", "init", "--threshold", "1", "--root", "x.key").error
    assert "has no root; `sharing keys init` makes one" in call("keys", "show", "--folder", "none").error


def test_a_wrapping_key_takes_nothing_that_would_have_no_effect(issued: KeyCeremony) -> None:
    before = issued.list_files()
    for options, signers in ((("--days", "5"), ()), ((), (1, 2))):
        refused = issued.run("rotate", "wrap", *options, signers=signers)
        assert (refused.code, "a wrapping key needs no root key, and does not end" in refused.error) == (2, True)
    assert issued.list_files() == before
