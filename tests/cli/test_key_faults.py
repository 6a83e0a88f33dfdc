"""Each command of `sharing keys` and `sharing trust` with a full disk, an interrupt, and bad files: nothing is lost."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from sharing.cli.keys import init
from sharing.keystore.files import make_private_folder
from sharing.keystore.passphrases import read_passphrase_file
from sharing.keystore.private_key_file import read_private_key
from tests.cli.conftest import Call, CommandResult
from tests.cli.key_ceremonies import KeyCeremony, make_ceremony


@pytest.fixture
def issued(call: Call, empty_folder: Path) -> KeyCeremony:
    """CH with online keys, a backup, a reader, and files for further commands."""
    ceremony = make_ceremony(call, empty_folder / "ch")
    assert ceremony.run("issue").code == 0
    for name in ("new.pass", "root4.pass", "reader.pass"):
        ceremony.write_secret(name, "another passphrase")
    return ceremony


Command = Callable[[KeyCeremony], CommandResult]


def rotate_root(ceremony: KeyCeremony) -> CommandResult:
    new = ("--new-root", ceremony.folder / "root4.key", "--new-root-passphrase-file", ceremony.folder / "root4.pass")
    return ceremony.run("rotate", "root", *new)


def back_up(ceremony: KeyCeremony) -> CommandResult:
    shares = [part for number in (1, 2) for part in ("--share", ceremony.folder / f"share{number}")]
    return ceremony.run("backup", ceremony.folder / "backup", "--threshold", "2", *shares, signers=())


def make_reader(ceremony: KeyCeremony) -> CommandResult:
    where = ("--key", ceremony.folder / "cases.key", "--passphrase-file", ceremony.folder / "reader.pass")
    return ceremony.call("keys", "reader", "cases", "--state", "CH", *where)


def restore(ceremony: KeyCeremony) -> CommandResult:
    shares = [part for number in (1, 2) for part in ("--share", ceremony.folder / f"share{number}")]
    return ceremony.run("restore", ceremony.folder / "backup", *shares, signers=())


def add_reader(ceremony: KeyCeremony) -> CommandResult:
    return ceremony.run("readers", "add", ceremony.folder / "cases.key.public.json", signers=())


def revoke(ceremony: KeyCeremony) -> CommandResult:
    key = ceremony.show()["keys"]["keys"][0]["successor"]
    return ceremony.run("revoke", key, "--at", "2026-01-01T00:00:00Z")


def protect(ceremony: KeyCeremony) -> CommandResult:
    return ceremony.run("protect", "--new-passphrase-file", ceremony.folder / "new.pass", signers=())


def prune(ceremony: KeyCeremony) -> CommandResult:
    return ceremony.run("prune", "--today", f"{dt.datetime.now(dt.UTC):%Y-%m-%d}", signers=())


def pin(ceremony: KeyCeremony) -> CommandResult:
    digits = ceremony.show()["root"]["fingerprint"]
    file = ("--fingerprint", digits, "--file", ceremony.folder / "trust.yaml")
    return ceremony.call("trust", "add", ceremony.keys / "root.1.json", *file)


COMMANDS: dict[str, Command] = {
    "rotate gate": lambda ceremony: ceremony.run("rotate", "gate"),
    "rotate wrap": lambda ceremony: ceremony.run("rotate", "wrap", signers=()),
    "rotate root": rotate_root,
    "revoke": revoke,
    "backup": back_up,
    "restore": restore,
    "reader": make_reader,
    "readers add": add_reader,
    "protect": protect,
    "prune": prune,
    "trust add": pin,
}


def prepare(ceremony: KeyCeremony, name: str) -> None:
    """Make what the command needs, before anything fails."""
    if name == "restore":
        assert back_up(ceremony).code == 0
        for path in (ceremony.keys / "private").glob("seal.*"):
            path.unlink()
    elif name == "readers add":
        assert make_reader(ceremony).code == 0
    elif name == "prune":
        assert revoke(ceremony).code == 0


def read_private_keys(ceremony: KeyCeremony) -> dict[str, object]:
    passphrase = read_passphrase_file(ceremony.folder / "online.pass")
    return {path.name: read_private_key(path, passphrase) for path in (ceremony.keys / "private").glob("*.key")}


class Failure:
    """Makes a function of `os` fail from its Nth call on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException, after: int) -> None:
        self.is_over = False
        self.count = 0
        real = getattr(os, step)

        def fail(*arguments: int, **options: int) -> object:
            self.count += 1
            if not self.is_over and self.count > after:
                raise error
            return real(*arguments, **options)

        monkeypatch.setattr(os, step, fail)


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "prune"])
@pytest.mark.parametrize("after", [0, 2])
def test_a_full_disk_is_one_clear_sentence_and_loses_nothing(
    issued: KeyCeremony, monkeypatch: pytest.MonkeyPatch, name: str, after: int
) -> None:
    prepare(issued, name)
    keys = read_private_keys(issued)
    failure = Failure(monkeypatch, "fsync", OSError(28, "No space left on device"), after)
    refused = COMMANDS[name](issued)
    if failure.count <= after:
        assert refused.code == 0, "it writes fewer files"
        return
    assert refused.code == 3, refused
    assert "No space left on device" in refused.error
    failure.is_over = True
    finish(issued, name, refused, keys)


@pytest.mark.parametrize("name", list(COMMANDS))
@pytest.mark.parametrize("after", [0, 1])
def test_an_interrupt_loses_nothing(
    issued: KeyCeremony, monkeypatch: pytest.MonkeyPatch, name: str, after: int
) -> None:
    prepare(issued, name)
    keys = read_private_keys(issued)
    step = {"prune": "unlink", "trust add": "replace"}.get(name, "link")
    failure = Failure(monkeypatch, step, KeyboardInterrupt(), after)
    stopped = COMMANDS[name](issued)
    if failure.count <= after:
        assert stopped.code == 0
        return
    assert (stopped.code, stopped.out) == (130, "")
    failure.is_over = True
    finish(issued, name, stopped, keys)


def finish(ceremony: KeyCeremony, name: str, failed: CommandResult, keys: dict[str, object]) -> None:
    """After the failure the folder is valid, its keys are there, and the command can be run again."""
    present = read_private_keys(ceremony)
    missing = keys.keys() - present.keys()
    assert not missing or name == "prune"
    assert {file: present[file] for file in keys.keys() & present.keys()} == {
        file: keys[file] for file in keys.keys() & present.keys()
    }
    assert "Traceback" not in failed.err
    assert "canary" not in failed.out + failed.err
    if name != "restore":
        assert ceremony.run("show", signers=()).code == 0
    for left in ("root4.key", "share1", "share2", "cases.key"):
        path = ceremony.folder / left
        if path.exists() and name in {"rotate root", "backup", "reader"}:
            assert failed.code == 130 or str(path) in failed.err
            path.unlink()
    again = COMMANDS[name](ceremony)
    assert again.code == 0 or "exists already" in again.error, again


@pytest.mark.parametrize("name", ["init", "rotate root", "backup"])
def test_it_is_said_which_files_belong_to_nothing(
    issued: KeyCeremony, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    Failure(monkeypatch, "link", OSError(28, "No space left on device"), 1)
    other = KeyCeremony(issued.call, issued.folder.parent / "no", "NO")
    other.prepare()
    result = other.init() if name == "init" else COMMANDS[name](issued)
    left = {"init": "root1.key", "rotate root": "root4.key", "backup": "share1"}[name]
    folder = other.folder if name == "init" else issued.folder
    what = "backup" if name == "backup" else "root"
    assert result.code == 3
    if name == "rotate root":  # its first two files are the key, and the statement
        assert (issued.folder / left).exists()
    assert f"{folder / left}: was made, but does not belong to a {what}; delete it" in result.err


def test_of_two_who_make_the_first_root_at_once_one_makes_nothing(
    call: Call, empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the other has root keys that belong to no root, and is told to move the root away."""
    ceremony = KeyCeremony(call, empty_folder / "ch")
    ceremony.prepare()

    def come_second(folder: Path) -> None:
        monkeypatch.setattr(init, "make_private_folder", make_private_folder)
        others = ["--root", empty_folder / "other.key", "--root-passphrase-file", ceremony.folder / "root1.pass"]
        where = ("--state", "CH", "--folder", ceremony.keys, "--threshold", "1")
        assert call("keys", "init", *where, *others).code == 0
        make_private_folder(folder)

    monkeypatch.setattr(init, "make_private_folder", come_second)
    refused = ceremony.init()
    assert (refused.code, "has a root already" in refused.error) == (2, True)
    assert not list(ceremony.folder.glob("root?.key"))


def test_no_root_key_is_made_where_the_key_folder_cannot_be_made(call: Call, empty_folder: Path) -> None:
    ceremony = KeyCeremony(call, empty_folder / "ch")
    ceremony.prepare()
    (ceremony.folder / "keys").touch()
    result = ceremony.init()
    assert (result.code, "keys cannot be made: File exists" in result.error) == (3, True)
    assert not list(ceremony.folder.glob("*.key"))


BAD_FILES: Sequence[tuple[str, Callable[[bytes], bytes], str]] = [
    ("keys/root.1.json", lambda data: data[:-30], "is not JSON"),
    ("keys/root.1.json", lambda data: data.replace(b'"threshold":2', b'"threshold":1'), "0 valid signatures"),
    ("keys/root.1.json", lambda data: data.replace(b'"CH"', b'"DE"'), "valid signatures of 2 that are needed"),
    ("keys/keys.1.json", lambda data: data[:-30], "is not JSON"),
    ("keys/keys.1.json", lambda _: b"", "is not JSON"),
    ("keys/keys.1.json", lambda data: data.replace(b'"gate"', b'"desk"'), "listed twice|valid signatures|role"),
    ("keys/keys.1.json", lambda data: data + b" ", "not in canonical form"),
    ("keys/keys.1.json", lambda _: bytes(200_000), "is longer than"),
]


@pytest.mark.parametrize(("name", "change", "message"), BAD_FILES, ids=range(len(BAD_FILES)))
def test_an_altered_document_stops_every_command(
    issued: KeyCeremony, name: str, change: Callable[[bytes], bytes], message: str
) -> None:
    key = issued.show()["keys"]["keys"][0]["key"]
    path = issued.folder / name
    path.write_bytes(change(path.read_bytes()))
    before = issued.list_files()
    results = [
        issued.run("show", signers=()),
        issued.run("rotate", "gate"),
        rotate_root(issued),
        issued.run("revoke", key),
        issued.run("prune", signers=()),
    ]
    if "root" in name:  # seal keys are saved also from a folder whose key statement is damaged
        results.append(back_up(issued))
    for refused in results:
        assert refused.code in {1, 2}
        assert re.search(message, refused.error), refused.error
    assert issued.list_files() == before


def test_documents_of_another_state_are_refused(issued: KeyCeremony, call: Call, empty_folder: Path) -> None:
    de = make_ceremony(call, empty_folder / "de", "DE")
    assert de.run("issue").code == 0
    (issued.keys / "keys.1.json").write_bytes((de.keys / "keys.1.json").read_bytes())
    for result in (issued.run("show", signers=()), issued.run("rotate", "gate")):
        assert (result.code, "is a key statement of DE, not of CH" in result.error) == (1, True)


@pytest.mark.parametrize("content", [b"", b"{}", b"\x00" * 10, b'{"header":{}}'])
def test_a_damaged_private_key_is_named(issued: KeyCeremony, content: bytes) -> None:
    path = next((issued.keys / "private").glob("wrap.*"))
    path.write_bytes(content)
    shown = issued.run("show", signers=())
    assert (shown.code, f"{path} is not the file of a private key" in shown.err) == (1, True)
    for result in (issued.run("rotate", "gate"), protect(issued), issued.run("prune", signers=())):
        assert (result.code, f"{path} is not the file of a private key" in result.error) == (2, True)


def test_an_expired_root_is_not_pinned(issued: KeyCeremony, monkeypatch: pytest.MonkeyPatch) -> None:
    digits = issued.show()["root"]["fingerprint"]
    monkeypatch.setattr("time.time", lambda: 4_000_000_000.0)
    where = ("--fingerprint", digits, "--file", issued.folder / "trust.yaml")
    refused = issued.call("trust", "add", issued.keys / "root.1.json", *where)
    assert (refused.code, "has expired" in refused.error) == (1, True)
    assert not (issued.folder / "trust.yaml").exists()


def test_another_fingerprint_than_that_on_paper(issued: KeyCeremony) -> None:
    where = ("--fingerprint", "0" * 64, "--file", issued.folder / "trust.yaml")
    refused = issued.call("trust", "add", issued.keys / "root.1.json", *where)
    expected = f"{issued.keys / 'root.1.json'}: its fingerprint is not the one that was typed"
    assert (refused.code, expected in refused.error) == (1, True)
    assert not (issued.folder / "trust.yaml").exists()


def test_a_trust_file_that_cannot_be(issued: KeyCeremony) -> None:
    digits = issued.show()["root"]["fingerprint"]
    for place, message in (
        (issued.folder, "is not a file"),
        (issued.folder / "none" / "t.yaml", "does not exist; create it"),
    ):
        where = ("--fingerprint", digits, "--file", place)
        refused = issued.call("trust", "add", issued.keys / "root.1.json", *where)
        assert (refused.code, message in refused.error) == (2, True)
    assert "is not a file" in issued.call("trust", "list", "--file", issued.folder).error
