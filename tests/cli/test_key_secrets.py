"""No secret is in anything that `sharing keys` says, in no log, and in no file in clear."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from sharing.cli.keys import app
from sharing.cli.keys.readers import app as readers_app
from sharing.keystore.passphrases import read_passphrase_file
from sharing.keystore.private_key_file import read_private_key
from tests.cli.conftest import Call, CommandResult
from tests.cli.key_ceremonies import KeyCeremony

READER_PASSPHRASE = "canary-reader-passphrase"  # noqa: S105 a test's


class Recorder:
    """Runs `sharing keys` for one State, and remembers what was run and all that was said."""

    def __init__(self, ceremony: KeyCeremony) -> None:
        self.ceremony = ceremony
        self.run_commands: set[str] = set()
        self.outputs: list[CommandResult] = []

    def run(self, command: str, *arguments: str | Path, expected: int = 0, signers: tuple[int, ...] = ()) -> None:
        """Run a command, and compare its exit code."""
        result = self.ceremony.run(command, *arguments, signers=signers)
        self._add(command, arguments, result, expected)

    def call(self, command: str, *arguments: str | Path, expected: int = 0) -> None:
        """Run a command without the options of the ceremony."""
        self._add(command, arguments, self.ceremony.call("keys", command, *arguments), expected)

    def _add(self, command: str, arguments: Any, result: CommandResult, expected: int) -> None:
        assert result.code == expected, (command, arguments, result)
        self.run_commands.add(f"{command} {arguments[0]}" if command == "readers" else command)
        self.outputs.append(result)


def list_commands() -> set[str]:
    """Return every command of `sharing keys`."""
    names = {str(command.name) for command in app.registered_commands}
    return names | {f"readers {command.name}" for command in readers_app.registered_commands}


def test_no_secret_is_in_any_output(
    call: Call, empty_folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Every command, also those that fail, with all logs; then all secrets are looked for in all that was said."""
    caplog.set_level("DEBUG")
    monkeypatch.setenv("SHARING_LOG_LEVEL", "debug")
    ch = KeyCeremony(call, empty_folder / "ch")
    ch.prepare()
    recorder = Recorder(ch)
    recorder.call("init", "--threshold", "2", "--state", "CH", "--folder", ch.keys, *ch.sign(1, 2, 3))
    recorder.run("issue", signers=(1, 2))
    reader = _use_readers(recorder)
    shares = _use_online_keys(recorder)
    recorder.call("resend", "--since", "2026-03-01T00:00:00Z", "--state", "CH", "--folder", ch.keys,
                  "--bootstrap", "127.0.0.1:1", expected=3)  # fmt: skip
    assert recorder.run_commands == list_commands() - {"protect"}
    seeds = [*_change_passphrases(recorder, reader), *_list_root_seeds(ch)]
    assert recorder.run_commands == list_commands()
    monkeypatch.setattr("sharing.keystore.key_folder.write_new_file", fail)
    recorder.run("rotate", "gate", signers=(1, 2), expected=3)
    ch.write_secret("online.pass", "canary-wrong-passphrase")
    recorder.run("rotate", "gate", signers=(1, 2), expected=2)
    said = "".join(result.out + result.err for result in recorder.outputs) + caplog.text
    assert "canary" not in said
    for secret in seeds:
        for form in (secret.hex(), secret.hex().upper(), repr(secret)[2:-1], str(list(secret))):
            assert form not in said
    for share in shares:
        assert json.loads(share.read_text())["share"] not in said
    files = b"".join(path.read_bytes() for path in ch.folder.rglob("*") if path.is_file() and path.suffix != ".pass")
    assert not [secret for secret in seeds if secret in files or secret.hex().encode() in files]


def _use_readers(recorder: Recorder) -> Path:
    """Make a reader, and let the registrar name and remove it; return the file of its private key."""
    ch = recorder.ceremony
    ch.write_secret("reader.pass", READER_PASSPHRASE)
    key = ch.folder / "reader.key"
    recorder.call(
        "reader", "case-system", "--key", key, "--state", "CH", "--passphrase-file", ch.folder / "reader.pass"
    )
    recorder.run("readers", "add", f"{key}.public.json")
    recorder.run("readers", "add", key, expected=2)  # the private file in place of the public one
    for command in ("list", "renew"):
        recorder.run("readers", command)
    recorder.run("readers", "remove", "case-system")
    return key


def _use_online_keys(recorder: Recorder) -> list[Path]:
    """Let every command do what it does to keys, and some fail; return the files of the shares."""
    ch = recorder.ceremony
    recorder.run("show")
    recorder.run("show", "--json")
    gate = next(key for key in ch.show()["keys"]["keys"] if key["role"] == "gate")
    recorder.run("rotate", "gate", "seal", "--json", signers=(1, 2))
    recorder.run("rotate", "root", "--json", signers=(1, 2))
    recorder.run("revoke", gate["key"], "--json", signers=(1, 2))
    shares = [ch.folder / f"share{number}" for number in (1, 2)]
    given = [part for share in shares for part in ("--share", share)]
    recorder.run("backup", ch.folder / "backup", "--threshold", "2", *given)
    recorder.run("restore", ch.folder / "backup", *given)
    recorder.run("restore", ch.folder / "backup", *given[:2], expected=2)
    recorder.run("issue", signers=(1,), expected=2)
    recorder.run("prune", "--json")
    recorder.run("rotate", "wrap")
    return shares


def _change_passphrases(recorder: Recorder, reader: Path) -> list[bytes]:
    """Change the passphrases of the online keys and of a reader; return their private keys."""
    ch = recorder.ceremony
    ch.write_secret("new.pass", "canary-new-passphrase")
    new = ("--new-passphrase-file", ch.folder / "new.pass")
    recorder.run("protect", *new)
    recorder.run("protect", *new, expected=2)
    recorder.call("protect", "--key", reader, "--passphrase-file", ch.folder / "reader.pass", *new)
    ch.write_secret("online.pass", "canary-new-passphrase")
    passphrase = read_passphrase_file(ch.folder / "new.pass")
    paths = [reader, *(ch.keys / "private").iterdir()]
    return [read_private_key(path, passphrase).seed.get_secret_value() for path in paths]


def _list_root_seeds(ch: KeyCeremony) -> list[bytes]:
    return [
        read_private_key(
            ch.folder / f"root{number}.key", read_passphrase_file(ch.folder / f"root{number}.pass")
        ).seed.get_secret_value()
        for number in (1, 2, 3)
    ]


def fail(*_: object) -> None:
    raise RuntimeError(f"with secrets in its frames {os.getpid()}")
