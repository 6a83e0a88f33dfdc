"""`sharing keys reader` and `readers`: who may open the inbox, as a registrar and a program's operator use them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sharing.clients.inbox_reader import read_reader_key
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.online_keys import OnlineKeys
from sharing.keystore.passphrases import read_passphrase_file
from tests.cli.conftest import Call
from tests.cli.key_ceremonies import KeyCeremony, make_ceremony


@pytest.fixture
def issued(call: Call, empty_folder: Path) -> KeyCeremony:
    ceremony = make_ceremony(call, empty_folder / "ch")
    assert ceremony.run("issue").code == 0
    return ceremony


def make_pass(folder: Path) -> Path:
    path = folder / "reader.pass"
    path.write_text("a reader's passphrase\n")
    path.chmod(0o600)
    return path


def test_a_reader_is_added_named_to_the_worker_and_removed(issued: KeyCeremony, call: Call, empty_folder: Path) -> None:
    passphrase = make_pass(empty_folder)
    key = empty_folder / "case.key"
    arguments = ("--state", "CH", "--key", str(key), "--passphrase-file", str(passphrase))
    made = call("keys", "reader", "case-system", *arguments, "--json").json_document
    assert (key.stat().st_mode & 0o777, made["files"][1]) == (0o600, f"{key}.public.json")
    added = issued.run("readers", "add", made["files"][1], signers=())
    assert added.code == 0, added.err
    assert "case-system" in added.out
    now = int(time.time() * 1000)
    online = OnlineKeys.open(issued.keys, read_passphrase_file(issued.folder / "online.pass"))
    (listed,) = online.get_readers(now)
    assert listed.key_id == made["key"] == read_reader_key(key, passphrase, "CH").public_key.key_id
    assert issued.run("readers", "renew", signers=()).code == 0
    shown = issued.run("readers", "list", "--json", signers=()).json_document
    assert (shown["version"], [each["name"] for each in shown["readers"]]) == (2, ["case-system"])
    assert issued.run("readers", "remove", "case-system", signers=()).code == 0
    unknown = issued.run("readers", "remove", "case-system", signers=())
    assert (unknown.code, "is not a reader" in unknown.err) == (2, True)
    keys = KeyFolder(issued.keys)
    content = keys.read_readers(online.get_trusted_keys(now), now)
    assert content is not None
    assert (content.version, content.readers) == (3, ())


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"{}", "not the public file of a reader"), (b"\xff", "not the public file of a reader")],
)
def test_a_wrong_public_file_is_refused(issued: KeyCeremony, empty_folder: Path, content: bytes, message: str) -> None:
    path = empty_folder / "x.json"
    path.write_bytes(content)
    refused = issued.run("readers", "add", str(path), signers=())
    assert refused.code == 2
    assert message in refused.err


def test_without_a_list_the_command_says_what_makes_one(issued: KeyCeremony) -> None:
    for command in (("list",), ("renew",)):
        refused = issued.run("readers", *command, signers=())
        assert (refused.code, "`sharing keys readers add` makes one" in refused.err) == (2, True)


def test_a_reader_needs_a_name_and_a_new_file(call: Call, empty_folder: Path) -> None:
    passphrase = str(make_pass(empty_folder))
    key = empty_folder / "case.key"
    options = ("--state", "CH", "--key", str(key), "--passphrase-file", passphrase)
    refused = call("keys", "reader", "Case System", *options)
    assert (refused.code, "lower-case letters" in refused.err, key.exists()) == (2, True, False)
    assert call("keys", "reader", "case", *options).code == 0
    again = call("keys", "reader", "case", *options)
    assert (again.code, "exists already" in again.err) == (2, True)


def test_show_lists_readers_and_says_when_their_list_ends(
    issued: KeyCeremony, call: Call, empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert issued.show()["readers"] is None
    options = ("--state", "CH", "--key", str(empty_folder / "case.key"), "--passphrase-file", make_pass(empty_folder))
    assert call("keys", "reader", "case-system", *options).code == 0
    assert issued.run("readers", "add", empty_folder / "case.key.public.json", signers=()).code == 0
    shown = issued.run("show", signers=())
    assert (shown.code, shown.err) == (0, "")
    assert "list of readers 1, until " in shown.out
    assert "reader  case-system  " in shown.out
    assert "wraps since " in shown.out
    document = issued.show()
    assert [reader["name"] for reader in document["readers"]["readers"]] == ["case-system"]
    real = time.time
    monkeypatch.setattr("time.time", lambda: real() + 25 * 86_400)
    assert issued.run("rotate", "gate", "registrar", signers=(1, 2)).code == 0
    ending = issued.run("show", signers=())
    assert (ending.code, "the list of readers ends at " in ending.err) == (1, True)
    assert "run `sharing keys readers renew`" in ending.err
    monkeypatch.setattr("time.time", lambda: real() + 31 * 86_400)
    ended = issued.run("show", signers=())
    assert "list of readers 1 has expired" in ended.err
    assert "nothing can be put into the inbox; run `sharing keys readers renew`" in ended.err
    assert issued.run("readers", "renew", signers=()).code == 0
    assert "list of readers" not in issued.run("show", signers=()).err


def test_after_the_registrar_key_was_revoked_a_new_list_begins(
    issued: KeyCeremony, call: Call, empty_folder: Path
) -> None:
    """Who held the key may have named a reader, so nobody is taken over; and nobody needs to delete a file."""
    options = ("--state", "CH", "--passphrase-file", str(make_pass(empty_folder)))
    for name in ("case-system", "thief"):
        assert call("keys", "reader", name, "--key", str(empty_folder / name), *options).code == 0
        assert issued.run("readers", "add", empty_folder / f"{name}.public.json", signers=()).code == 0
    worker = OnlineKeys.open(issued.keys, read_passphrase_file(issued.folder / "online.pass"))
    assert len(worker.get_readers(int(time.time() * 1000))) == 2
    registrar = issued.find_key("registrar")["key"]
    assert issued.run("rotate", "registrar").code == 0
    revoked = issued.run("revoke", registrar)
    assert "add all readers again with `sharing keys readers add`" in revoked.err
    shown = issued.run("show", signers=())
    assert (shown.code, "add all readers again with `sharing keys readers add`" in shown.err) == (1, True)
    for command in (("renew",), ("list",), ("remove", "thief")):
        refused = issued.run("readers", *command, signers=())
        assert (refused.code, "is no longer valid: add all readers again" in refused.error) == (2, True)
    added = issued.run("readers", "add", empty_folder / "case-system.public.json", "--json", signers=()).json_document
    assert (added["version"], [reader["name"] for reader in added["readers"]]) == (3, ["case-system"])
    assert len(worker.get_readers(int(time.time() * 1000) + 2000)) == 1, "a worker that runs takes it over"
    assert issued.run("show", signers=()).code == 0


def test_an_altered_list_is_not_replaced_in_silence(issued: KeyCeremony, call: Call, empty_folder: Path) -> None:
    options = ("--state", "CH", "--passphrase-file", str(make_pass(empty_folder)))
    assert call("keys", "reader", "case", "--key", str(empty_folder / "case"), *options).code == 0
    public = empty_folder / "case.public.json"
    assert issued.run("readers", "add", public, signers=()).code == 0
    listed = issued.keys / "readers.1.json"
    listed.write_text(listed.read_text().replace('"name":"case"', '"name":"cave"'))
    refused = issued.run("readers", "add", public, signers=())
    assert (refused.code, "is not valid" in refused.error) == (1, True)
    assert not (issued.keys / "readers.2.json").exists()
