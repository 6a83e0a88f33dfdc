"""`sharing keys protect`: another passphrase for all private keys of a folder, or for none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sharing.errors import InfrastructureError, InputError
from sharing.keystore import files, passphrase_change
from sharing.keystore.files import lock_folder, remove_folder
from sharing.keystore.passphrases import read_passphrase_file
from sharing.keystore.private_key import PrivateKey
from sharing.keystore.private_key_file import read_key_file, read_private_key, replace_passphrase
from tests.cli.conftest import Call, CommandResult
from tests.cli.key_ceremonies import ROOT_PASSPHRASES, KeyCeremony, make_ceremony, run_killed
from tests.support.softhsm import make_soft_token

NEW_PASSPHRASE = "canary-new-passphrase"  # noqa: S105 a test's


@pytest.fixture
def issued(call: Call, empty_folder: Path) -> KeyCeremony:
    ceremony = make_ceremony(call, empty_folder / "ch")
    assert ceremony.run("issue").code == 0
    ceremony.write_secret("new.pass", NEW_PASSPHRASE)
    return ceremony


def protect(ceremony: KeyCeremony, *options: str | Path) -> CommandResult:
    new = ("--new-passphrase-file", ceremony.folder / "new.pass")
    return ceremony.run("protect", *new, *options, signers=())


def read_keys(ceremony: KeyCeremony, passphrase_file: str) -> dict[str, PrivateKey]:
    passphrase = read_passphrase_file(ceremony.folder / passphrase_file)
    return {path.name: read_private_key(path, passphrase) for path in (ceremony.keys / "private").glob("*.key")}


def test_all_keys_are_under_the_new_passphrase_and_none_under_the_old(issued: KeyCeremony) -> None:
    before = read_keys(issued, "online.pass")
    bystanders = {path: path.read_bytes() for path in issued.keys.glob("*.json")}
    result = protect(issued)
    assert (result.code, "13 private keys are protected by the new passphrase" in result.out) == (0, True)
    assert f"put the new passphrase into {issued.folder / 'online.pass'}" in result.err
    assert "canary" not in result.out + result.err
    assert read_keys(issued, "new.pass") == before
    for path in (issued.keys / "private").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        with pytest.raises(InputError, match="the passphrase is wrong"):
            read_private_key(path, read_passphrase_file(issued.folder / "online.pass"))
    assert {path: path.read_bytes() for path in issued.keys.glob("*.json")} == bystanders
    assert (issued.keys / "private").stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in issued.keys.iterdir()) == ["keys.1.json", "private", "root.1.json"]
    assert "the passphrase is wrong" in issued.run("rotate", "gate").error
    issued.write_secret("online.pass", NEW_PASSPHRASE)
    assert issued.run("rotate", "gate").code == 0
    assert issued.run("show", signers=()).code == 0


def test_a_wrong_passphrase_changes_nothing(issued: KeyCeremony) -> None:
    before = read_keys(issued, "online.pass")
    issued.write_secret("online.pass.kept", (issued.folder / "online.pass").read_text().strip())
    issued.write_secret("online.pass", "not the passphrase")
    refused = protect(issued)
    assert (refused.code, ".key: the passphrase is wrong" in refused.error) == (2, True)
    assert read_keys(issued, "online.pass.kept") == before
    assert issued.run("show", signers=()).code == 0


def test_one_key_under_another_passphrase_changes_nothing(issued: KeyCeremony) -> None:
    """As after a restore that was interrupted: half of the keys must not be under a third passphrase."""
    path = max((issued.keys / "private").glob("*.key"))
    issued.write_secret("third.pass", "a third passphrase")
    passphrases = (read_passphrase_file(issued.folder / name) for name in ("online.pass", "third.pass"))
    replace_passphrase(path, *passphrases)
    contents = {item: item.read_bytes() for item in (issued.keys / "private").iterdir()}
    refused = protect(issued)
    assert (refused.code, f"{path}: the passphrase is wrong" in refused.error) == (2, True)
    assert {item: item.read_bytes() for item in (issued.keys / "private").iterdir()} == contents


@pytest.mark.parametrize(
    ("text", "message"),
    [("short", "at least 12 characters"), (None, "the new passphrase is the same as the current one")],
)
def test_a_new_passphrase_that_is_none_is_refused(issued: KeyCeremony, text: str | None, message: str) -> None:
    issued.write_secret("new.pass", (issued.folder / "online.pass").read_text().strip() if text is None else text)
    refused = protect(issued)
    assert (refused.code, message in refused.error) == (2, True)


STEPS = [("link", 0), ("link", 6), ("link", 12), ("exchange_folders", 0), ("remove_folder", 1)]


@pytest.mark.parametrize(("step", "count"), STEPS)
def test_a_killed_change_has_changed_all_keys_or_none(issued: KeyCeremony, step: str, count: int) -> None:
    """Killed while it writes the first, a later and the last file; before the exchange; before the old files go."""
    before = read_keys(issued, "online.pass")
    options = ("--folder", issued.keys, "--passphrase-file", issued.folder / "online.pass")
    run_killed(step, count, "protect", "--new-passphrase-file", issued.folder / "new.pass", *options)
    is_done = step == "remove_folder"
    assert read_keys(issued, "new.pass" if is_done else "online.pass") == before
    shown = issued.run("show", signers=())
    assert (shown.code, f"{issued.keys / '.private.new'} was left by a command that was killed" in shown.err) == (
        1,
        True,
    )
    if is_done:
        issued.write_secret("online.pass", NEW_PASSPHRASE)
        issued.write_secret("new.pass", "yet another passphrase")
    assert protect(issued).code == 0
    assert read_keys(issued, "new.pass") == before
    assert issued.run("show", signers=()).code == 0
    assert not list(issued.keys.rglob(".*"))


@pytest.mark.parametrize("after", ["link", "fsync"])
def test_a_full_disk_changes_nothing(issued: KeyCeremony, monkeypatch: pytest.MonkeyPatch, after: str) -> None:
    contents = {item: item.read_bytes() for item in (issued.keys / "private").iterdir()}
    real, calls = getattr(os, after), []

    def fail_later(*arguments: int, **options: int) -> None:
        calls.append(arguments)
        if len(calls) > 5:
            raise OSError(28, "No space left on device")
        real(*arguments, **options)

    monkeypatch.setattr(os, after, fail_later)
    refused = protect(issued)
    assert (refused.code, "No space left on device" in refused.error) == (3, True)
    assert {item: item.read_bytes() for item in (issued.keys / "private").iterdir()} == contents
    assert not list(issued.keys.rglob(".*"))


def test_an_interrupt_at_the_keyboard_changes_nothing(issued: KeyCeremony, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = {item: item.read_bytes() for item in (issued.keys / "private").iterdir()}

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(passphrase_change, "exchange_folders", interrupt)
    assert protect(issued).code == 130
    assert {item: item.read_bytes() for item in (issued.keys / "private").iterdir()} == contents
    assert not list(issued.keys.rglob(".*"))


def test_old_files_that_cannot_be_deleted_are_reported(issued: KeyCeremony, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Path] = []

    def fail_second(path: Path) -> None:
        calls.append(path)
        if len(calls) == 2:
            raise InfrastructureError(f"{path} cannot be deleted: Permission denied")
        remove_folder(path)

    monkeypatch.setattr(passphrase_change, "remove_folder", fail_second)
    refused = protect(issued)
    assert (refused.code, "was changed, but the files under the old one remain" in refused.error) == (3, True)
    assert read_keys(issued, "new.pass")


def test_a_file_system_without_exchange_changes_nothing(issued: KeyCeremony, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = {item: item.read_bytes() for item in (issued.keys / "private").iterdir()}
    monkeypatch.setattr(files, "_EXCHANGE", 1 << 20)  # a flag that no kernel knows
    refused = protect(issued)
    assert (refused.code, "cannot be exchanged: Invalid argument; nothing was changed" in refused.error) == (3, True)
    assert {item: item.read_bytes() for item in (issued.keys / "private").iterdir()} == contents


def test_what_is_no_private_key_is_not_lost(issued: KeyCeremony) -> None:
    note = issued.keys / "private" / "note.txt"
    note.write_text("remember")
    refused = protect(issued)
    assert (refused.code, f"{note} is not the file of a private key; move it" in refused.error) == (2, True)
    note.unlink()
    (issued.keys / "private").rename(issued.folder / "elsewhere")
    (issued.keys / "private").symlink_to(issued.folder / "elsewhere")
    assert "is a link" in protect(issued).error


def test_keys_in_a_token_have_no_passphrase(
    call: Call, issued: KeyCeremony, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = make_soft_token(tmp_path / "token", monkeypatch)
    assert issued.run("rotate", "gate", "seal", "--token", token.address).code == 0
    in_token = {path: path.read_bytes() for path in (issued.keys / "private").glob("*.key") if has_token(path)}
    assert len(in_token) == 2
    result = protect(issued, "--json")
    assert sorted(result.json_document["kept"]) == sorted(map(str, in_token))
    assert {path: path.read_bytes() for path in in_token} == in_token
    for path in (issued.keys / "private").glob("*.key"):
        if not has_token(path):
            path.unlink()
    assert "is encrypted with a passphrase: a token protects them" in protect(issued).error


def has_token(path: Path) -> bool:
    return read_key_file(path).token is not None


def test_another_command_at_the_same_time_is_refused(issued: KeyCeremony) -> None:
    before = issued.list_files()
    with lock_folder(issued.keys):
        for result in (protect(issued), issued.run("rotate", "gate"), issued.run("prune", signers=())):
            assert (result.code, f"another command is changing {issued.keys}" in result.error) == (2, True)
    assert issued.list_files() == before


def test_the_passphrase_of_a_root_key_is_changed(
    call: Call, issued: KeyCeremony, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHARING_KEY_PASSPHRASE_FILE", str(issued.folder / "online.pass"))  # of other keys
    path = issued.folder / "root1.key"
    before = read_private_key(path, read_passphrase_file(issued.folder / "root1.pass"))
    new = ("--new-passphrase-file", issued.folder / "new.pass")
    assert "give --passphrase-file" in call("keys", "protect", "--key", path, *new).error
    old = ("--passphrase-file", issued.folder / "root2.pass")
    assert "the passphrase is wrong" in call("keys", "protect", "--key", path, *new, *old).error
    old = ("--passphrase-file", issued.folder / "root1.pass")
    assert "give one of them" in call("keys", "protect", "--key", path, "--folder", issued.keys, *new, *old).error
    assert call("keys", "protect", "--key", path, *new, *old).code == 0
    assert read_private_key(path, read_passphrase_file(issued.folder / "new.pass")) == before
    assert path.stat().st_mode & 0o777 == 0o600
    assert "the passphrase is wrong" in issued.run("rotate", "gate").error
    assert (issued.folder / "root1.pass").read_text().strip() == ROOT_PASSPHRASES[0]


def test_without_keys_it_is_said_what_makes_them(call: Call, empty_folder: Path) -> None:
    ceremony = make_ceremony(call, empty_folder / "no", "NO")
    ceremony.write_secret("new.pass", NEW_PASSPHRASE)
    assert "has no private keys; `sharing keys issue` makes them" in protect(ceremony).error
    assert "no key folder is set" in call("keys", "protect").error
