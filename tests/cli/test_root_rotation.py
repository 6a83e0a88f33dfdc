"""`sharing keys rotate root`: old and new root keys sign, and nothing that removed ones have signed is taken."""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path

import pytest

from sharing.keystore.passphrases import read_passphrase_file
from sharing.keystore.private_key_file import read_private_key
from sharing.trust.documents import sign_document
from sharing.trust.key_statement import KeyStatement
from sharing.trust.signatures import ObjectKind
from tests.cli.conftest import Call
from tests.cli.key_ceremonies import KeyCeremony, make_ceremony, run_killed


@pytest.fixture
def issued(call: Call, empty_folder: Path) -> KeyCeremony:
    """CH with its root, two of three, and online keys of all roles."""
    ceremony = make_ceremony(call, empty_folder / "ch")
    assert ceremony.run("issue").code == 0
    return ceremony


def test_the_root_is_rotated_by_old_and_new_keys(issued: KeyCeremony) -> None:
    root = issued.show()["root"]
    issued.write_secret("root4.pass", "another passphrase")
    new = ("--new-root", issued.folder / "root4.key", "--new-root-passphrase-file", issued.folder / "root4.pass")
    result = issued.run("rotate", "root", *new, "--remove", root["keys"][2][:12])
    assert result.code == 0, result
    document = issued.show()
    assert (document["root"]["version"], document["keys"]["statement"]) == (2, 2)
    assert document["root"]["keys"][:2] == root["keys"][:2]
    assert (document["root"]["keys"][2] != root["keys"][2], document["findings"]) == (True, [])
    refused = issued.run("rotate", "gate", signers=(1, 3))
    assert (refused.code, "root3.key is not a key of version 2 of the root of CH" in refused.error) == (2, True)
    assert issued.run("rotate", "gate", signers=(2, 4)).code == 0


def test_a_root_for_which_too_few_new_keys_sign_is_not_written(issued: KeyCeremony) -> None:
    before = issued.list_files()
    refused = issued.run("rotate", "root", "--threshold", "3")
    assert (refused.code, "2 valid signatures of 3 that are needed" in refused.error) == (1, True)
    assert "is not a root key" not in refused.error
    assert issued.run("rotate", "root", "--remove", "0123456789").code == 2
    assert issued.run("rotate", "root", "--remove", "0123").code == 2
    assert issued.list_files() == before


def test_no_root_is_made_by_a_clock_that_is_before_the_present_one(
    call: Call, empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one would end too early. One that has expired is renewed."""
    ceremony = make_ceremony(call, empty_folder / "new")  # no key statement yet
    real, days = time.time, -400
    monkeypatch.setattr("time.time", lambda: real() + days * 86_400)
    before = ceremony.list_files()
    refused = ceremony.run("rotate", "root")
    assert (refused.code, ceremony.list_files()) == (1, before)
    assert "CH: version 1 of the root is valid only from " in refused.error
    assert "check the clock" in refused.error
    days = 400
    assert ceremony.run("rotate", "root").code == 0


@pytest.mark.parametrize("writes", range(4))
def test_an_interrupted_root_rotation_leaves_a_valid_folder(issued: KeyCeremony, writes: int) -> None:
    """Two new root keys, the key statement, and the root: killed before each of these four files."""
    for number in (4, 5, 6, 7):
        issued.write_secret(f"root{number}.pass", "another passphrase")
    root = issued.show()["root"]

    def replace_by(*numbers: int) -> list[str | Path]:
        options: list[str | Path] = ["--remove", root["keys"][0], "--remove", root["keys"][1]]
        for number in numbers:
            options += ["--new-root", issued.folder / f"root{number}.key"]
            options += ["--new-root-passphrase-file", issued.folder / f"root{number}.pass"]
        return options

    run_killed("link", writes, "rotate", "root", "--folder", issued.keys, *replace_by(4, 5), *issued.sign(1, 2))
    written = [f"root{number}.key" for number in (4, 5)] + ["keys/keys.2.json", "keys/root.2.json"]
    assert [name in issued.list_files() for name in written] == [position < writes for position in range(4)]
    shown = issued.run("show", "--json", signers=())
    assert shown.json_document["root"] == root
    assert shown.json_document["keys"]["statement"] == (2 if writes == 3 else 1)
    for draft in issued.folder.rglob(".*.new"):
        draft.unlink()
    assert issued.run("show", signers=()).code == 0
    assert issued.run("rotate", "root", *replace_by(6, 7)).code == 0
    document = issued.show()
    assert (document["root"]["version"], document["findings"]) == (2, [])
    assert not set(root["keys"][:2]) & set(document["root"]["keys"])
    assert issued.run("rotate", "gate", signers=(6, 7)).code == 0


def test_a_statement_by_the_keys_of_the_root_before_is_refused(issued: KeyCeremony) -> None:
    """A thief of the root keys that were replaced, who writes to the folder, states nothing any more."""
    newest = issued.keys / "keys.1.json"
    stolen = newest.read_bytes()
    for number in (4, 5):
        issued.write_secret(f"root{number}.pass", "another passphrase")
    options: list[str | Path] = []
    for key, number in zip(issued.show()["root"]["keys"][:2], (4, 5), strict=True):
        options += ["--remove", key, "--new-root", issued.folder / f"root{number}.key"]
        options += ["--new-root-passphrase-file", issued.folder / f"root{number}.pass"]
    assert issued.run("rotate", "root", *options).code == 0
    (issued.keys / "keys.2.json").unlink()
    newest.write_bytes(stolen)
    for result in (issued.run("show", signers=()), issued.run("rotate", "gate", signers=(4, 5))):
        assert (result.code, "0 valid signatures of 2 that are needed" in result.error) == (1, True)


@pytest.mark.parametrize(("days", "longest"), [(7, 7), (90, 30)])
def test_a_new_root_changes_how_long_online_keys_are_valid(issued: KeyCeremony, days: int, longest: int) -> None:
    before = issued.find_key("gate")
    assert issued.run("rotate", "root", "--online-days", str(days)).code == 0
    document = issued.show()
    assert document["root"]["online_days_max"] == days
    assert issued.find_key("gate") == before, "a key that is in force is not altered"
    assert count_days(document["keys"]["issued_at"], document["keys"]["expires_at"]) == longest
    assert "at most" in issued.run("rotate", "gate", "--days", str(days + 1)).error
    assert issued.run("rotate", "gate").code == 0
    after = issued.find_key("gate")
    assert count_days(after["valid_from"], after["valid_until"]) == days
    refused = issued.run("rotate", "gate", "--online-days", "5")
    assert (refused.code, "--online-days are for `sharing keys rotate root`" in refused.error) == (2, True)


def count_days(since: str, until: str) -> int:
    return (datetime.fromisoformat(until) - datetime.fromisoformat(since)).days


def test_a_statement_by_root_keys_that_were_removed_is_not_signed_again(issued: KeyCeremony) -> None:
    """Somebody has them, and can write to the folder: the present root must not sign what he states."""
    for number in (4, 5):
        issued.write_secret(f"root{number}.pass", "another passphrase")
    options: list[str | Path] = []
    for key, number in zip(issued.show()["root"]["keys"][:2], (4, 5), strict=True):
        options += ["--remove", key, "--new-root", issued.folder / f"root{number}.key"]
        options += ["--new-root-passphrase-file", issued.folder / f"root{number}.pass"]
    assert issued.run("rotate", "root", *options).code == 0
    files = [issued.keys / "root.2.json", issued.keys / "keys.2.json"]
    for file in files:
        file.rename(issued.folder / file.name)
    assert issued.run("rotate", "gate").code == 0  # by the keys that were removed: keys.2.json under root.1.json
    document = json.loads((issued.keys / "keys.2.json").read_text())
    document["signed"]["version"] = 3
    signers = [
        read_private_key(
            issued.folder / f"root{number}.key", read_passphrase_file(issued.folder / f"root{number}.pass")
        )
        for number in (1, 2)
    ]
    statement = KeyStatement.model_validate_json(json.dumps(document["signed"]))
    forged = sign_document(ObjectKind.KEYS, "CH", statement, [key.to_signing_key() for key in signers])
    for file in files:
        (issued.folder / file.name).rename(file)
    (issued.keys / "keys.3.json").write_bytes(forged.to_bytes())
    for result in (
        issued.run("show", signers=()),
        issued.run("rotate", "seal", signers=(4, 5)),
        issued.run("rotate", "root", signers=(4, 5)),
    ):
        assert (result.code, "0 valid signatures of 2 that are needed" in result.error) == (1, True)
