"""`sharing trust`: the pinned roots of other States."""

from __future__ import annotations

import io
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Call
from tests.cli.key_ceremonies import KeyCeremony, make_ceremony


@pytest.fixture
def trust_file(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SHARING_TRUST_FILE", "trust.yaml")
    return empty_folder / "trust.yaml"


@pytest.fixture
def ch(call: Call, empty_folder: Path, trust_file: Path) -> KeyCeremony:
    """CH with online keys; nobody has pinned its root."""
    ceremony = make_ceremony(call, empty_folder / "ch")
    assert ceremony.run("issue").code == 0
    return ceremony


def get_fingerprint(ceremony: KeyCeremony) -> str:
    return str(ceremony.show()["root"]["fingerprint"])


def root_file(ceremony: KeyCeremony, version: int = 1) -> Path:
    return ceremony.keys / f"root.{version}.json"


def pin(call: Call, ceremony: KeyCeremony) -> None:
    assert call("trust", "add", root_file(ceremony), "--fingerprint", get_fingerprint(ceremony)).code == 0


def test_a_root_is_pinned_by_the_fingerprint_on_paper(call: Call, ch: KeyCeremony, trust_file: Path) -> None:
    assert (call("trust", "list").code, call("trust", "list", "--json").json_document) == (0, [])
    fingerprint = get_fingerprint(ch)
    added = call("trust", "add", root_file(ch), "--fingerprint", fingerprint.upper(), "--json").json_document
    assert added == {
        "state": "CH", "version": 1, "previous": None, "fingerprint": fingerprint, "file": "trust.yaml",
    }  # fmt: skip
    (row,) = call("trust", "list", "--json").json_document
    assert (row["state"], row["version"], row["fingerprint"]) == ("CH", 1, fingerprint)
    assert fingerprint in call("trust", "list").out
    assert fingerprint in trust_file.read_text()


@pytest.mark.parametrize("name", ["-", "pipe"])
def test_a_root_may_come_through_a_pipe(
    call: Call, ch: KeyCeremony, trust_file: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    data = root_file(ch).read_bytes()
    fingerprint = get_fingerprint(ch)
    if name == "-":
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    else:
        os.mkfifo(name)
        threading.Thread(target=Path(name).write_bytes, args=(data,), daemon=True).start()
    assert call("trust", "add", name, "--fingerprint", fingerprint).code == 0
    assert fingerprint in call("trust", "list").out


def test_a_document_that_is_too_long_is_not_read(call: Call, ch: KeyCeremony, tmp_path: Path) -> None:
    long = tmp_path / "long"
    long.write_bytes(bytes(1_000_001))
    refused = call("trust", "add", long, "--fingerprint", get_fingerprint(ch))
    assert (refused.code, "is longer than 1,000,000 bytes" in refused.error) == (2, True)


def test_the_file_itself_proves_nothing(call: Call, ch: KeyCeremony, trust_file: Path) -> None:
    refused = call("trust", "add", root_file(ch))
    assert (refused.code, "--fingerprint with the digits that CH gave on paper" in refused.error) == (2, True)
    assert get_fingerprint(ch)[:9] not in refused.err
    refused = call("trust", "add", root_file(ch), "--fingerprint", "0123 " * 16)
    assert (refused.code, "its fingerprint is not the one that was typed" in refused.error) == (1, True)
    refused = call("trust", "add", root_file(ch), "--fingerprint", "0123")
    assert (refused.code, "what was typed is not a fingerprint: a fingerprint has 64 digits" in refused.error) == (
        2,
        True,
    )
    assert not trust_file.exists()


def test_the_fingerprint_may_be_typed_at_a_terminal(
    call: Call, ch: KeyCeremony, monkeypatch: pytest.MonkeyPatch
) -> None:
    fingerprint = get_fingerprint(ch)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.prompt", lambda *_, **__: fingerprint)
    assert call("trust", "add", root_file(ch)).code == 0


def test_a_pinned_root_leads_to_the_next(call: Call, ch: KeyCeremony) -> None:
    pin(call, ch)
    assert ch.run("rotate", "root").code == 0
    assert ch.run("rotate", "root").code == 0
    refused = call("trust", "add", root_file(ch, 3))
    assert (refused.code, "get those from 1 on" in refused.error) == (1, True)
    added = call("trust", "add", *(root_file(ch, version) for version in (3, 1, 2)), "--json").json_document
    assert (added["previous"], added["version"], added["fingerprint"]) == (1, 3, get_fingerprint(ch))
    refused = call("trust", "add", root_file(ch, 1), root_file(ch, 2))
    assert (refused.code, "version 3 of the root, which is pinned, is missing" in refused.error) == (1, True)
    refused = call("trust", "add", root_file(ch, 3), "--fingerprint", "0" * 64)
    assert (refused.code, "is not that of the newest root" in refused.error) == (1, True)


def test_a_forged_root_is_refused_and_changes_nothing(
    call: Call, ch: KeyCeremony, empty_folder: Path, trust_file: Path
) -> None:
    pin(call, ch)
    before = trust_file.read_text()
    forger = make_ceremony(call, empty_folder / "forger")
    assert "its fingerprint differs" in call("trust", "add", root_file(forger)).error
    assert forger.run("rotate", "root").code == 0
    refused = call("trust", "add", root_file(ch), root_file(forger, 2))
    assert (refused.code, "0 valid signatures of 2" in refused.error) == (1, True)
    assert trust_file.read_text() == before


def test_a_person_may_pin_anew(call: Call, ch: KeyCeremony, empty_folder: Path) -> None:
    """A State has lost its root keys, and gives a new fingerprint on paper."""
    pin(call, ch)
    fresh = make_ceremony(call, empty_folder / "fresh")
    new = ("trust", "add", root_file(fresh), "--replace")
    assert call(*new).code == 2
    assert call(*new, "--fingerprint", get_fingerprint(ch)).code == 1
    assert call(*new, "--fingerprint", get_fingerprint(fresh)).code == 0
    (row,) = call("trust", "list", "--json").json_document
    assert row["fingerprint"] == get_fingerprint(fresh)


def test_states_are_pinned_one_at_a_time(call: Call, ch: KeyCeremony, empty_folder: Path) -> None:
    de = make_ceremony(call, empty_folder / "de", "DE")
    refused = call("trust", "add", root_file(ch), root_file(de))
    assert (refused.code, "one State at a time" in refused.error) == (2, True)
    assert "is a key statement" in call("trust", "add", ch.keys / "keys.1.json").error
    pin(call, ch)
    pin(call, de)
    assert [row["state"] for row in call("trust", "list", "--json").json_document] == ["CH", "DE"]


def check(call: Call, *paths: Path) -> dict[str, Any]:
    result = call("trust", "check", *paths, "--json")
    rows = result.json_document
    assert result.code == int(any(row["ok"] is False for row in rows))
    return {f"{row['state']} {row['kind']} {row['version']}": row["fault"] or row["ok"] for row in rows}


def test_documents_are_verified_against_the_pinned_root(call: Call, ch: KeyCeremony, empty_folder: Path) -> None:
    documents = (ch.keys / "keys.1.json", root_file(ch))
    assert check(call, *documents) == {"CH root 1": "NOT_PINNED", "CH keys 1": "NOT_PINNED"}
    pin(call, ch)
    assert check(call, *documents) == {"CH root 1": True, "CH keys 1": True}
    assert check(call, documents[0]) == {"CH keys 1": "VERSION_MISSING"}
    assert ch.run("rotate", "root").code == 0
    roots = (root_file(ch, 1), root_file(ch, 2))
    by_both = ch.keys / "keys.2.json"
    assert check(call, root_file(ch), by_both) == {"CH root 1": True, "CH keys 2": True}
    assert check(call, *roots, by_both) == {"CH root 1": True, "CH root 2": True, "CH keys 2": True}
    assert ch.run("rotate", "gate").code == 0
    newest = ch.keys / "keys.3.json"
    assert check(call, root_file(ch), newest) == {"CH root 1": True, "CH keys 3": "VERSION_MISSING"}
    assert check(call, *roots, newest) == {"CH root 1": True, "CH root 2": True, "CH keys 3": True}
    assert call("trust", "add", *roots).code == 0
    assert check(call, *roots, newest) == {"CH root 1": None, "CH root 2": True, "CH keys 3": True}
    forger = make_ceremony(call, empty_folder / "forger")
    assert forger.run("issue").code == 0
    forged = (root_file(forger), forger.keys / "keys.1.json")
    assert check(call, *forged) == {"CH root 1": "ROLLED_BACK", "CH keys 1": "ROLLED_BACK"}
    assert check(call, root_file(ch, 2), forged[1]) == {"CH root 2": True, "CH keys 1": "THRESHOLD_NOT_MET"}
    shown = call("trust", "check", root_file(ch, 2), forged[1])
    assert (shown.code, "THRESHOLD_NOT_MET" in shown.out) == (1, True)


def test_after_a_refused_root_nothing_is_accepted(call: Call, ch: KeyCeremony, empty_folder: Path) -> None:
    forger = make_ceremony(call, empty_folder / "forger")
    pin(call, forger)
    assert ch.run("rotate", "root").code == 0
    rows = check(call, root_file(ch), root_file(ch, 2), ch.keys / "keys.2.json")
    assert rows == dict.fromkeys(("CH root 1", "CH root 2", "CH keys 2"), "NOT_PINNED")


def test_to_pin_an_older_root_anew_is_said(call: Call, ch: KeyCeremony) -> None:
    paper = get_fingerprint(ch)
    assert ch.run("rotate", "root").code == 0
    newest = get_fingerprint(ch)
    assert call("trust", "add", root_file(ch, 2), "--fingerprint", newest).code == 0
    added = call("trust", "add", root_file(ch, 1), "--replace", "--fingerprint", paper)
    assert (added.code, f"pinned before: version 2, fingerprint {newest}" in added.err) == (0, True)
    assert "make sure that the paper of CH is not an old one" in added.err


@pytest.mark.parametrize("columns", ["80", "40"])
def test_a_narrow_terminal_hides_nothing(
    call: Call, ch: KeyCeremony, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    """A fingerprint of which digits are cut off, or whose State is, would be compared nevertheless."""
    pin(call, ch)
    monkeypatch.setenv("COLUMNS", columns)
    shown = call("trust", "list").out
    assert get_fingerprint(ch) in " ".join(shown.split())
    assert "CH: version 1 of the root" in shown
    keys = ch.run("show", signers=()).out
    for key in ch.show()["keys"]["keys"]:
        for text in (key["role"], key["key"][:16], key["successor"][:16], key["valid_from"], key["valid_until"]):
            assert text in keys
    checked = call("trust", "check", ch.keys / "keys.1.json").out
    assert {"CH", "give", "the", "roots", "from", "pinned", "one", "onwards"} <= set(checked.split())


def test_a_root_from_before_the_pinned_one_is_refused(call: Call, ch: KeyCeremony) -> None:
    pin(call, ch)
    assert ch.run("rotate", "root").code == 0
    assert call("trust", "add", root_file(ch, 1), root_file(ch, 2)).code == 0
    assert check(call, root_file(ch, 1)) == {"CH root 1": "ROLLED_BACK"}


def test_statements_are_compared_with_one_another(call: Call, ch: KeyCeremony) -> None:
    """All root keys have signed them: two ceremonies after each of which the newest statement was taken away."""
    pin(call, ch)
    statements, aside = ch.keys, ch.folder / "aside.json"
    assert ch.run("rotate", "gate").code == 0
    (statements / "keys.2.json").rename(aside)
    assert ch.run("rotate", "seal").code == 0
    first, second = statements / "keys.1.json", statements / "keys.2.json"
    assert check(call, root_file(ch), first, second) == {"CH root 1": True, "CH keys 1": True, "CH keys 2": True}
    assert check(call, root_file(ch), second, aside)["CH keys 2"] == "CONFLICT"
    revoked = find_last_key(ch)
    aside.unlink()
    second.rename(aside)
    assert ch.run("revoke", revoked).code == 0
    second.rename(statements / "keys.3.json.aside")
    assert ch.run("rotate", "seal").code == 0
    assert ch.run("rotate", "gate").code == 0
    rows = check(call, root_file(ch), first, statements / "keys.3.json.aside", statements / "keys.3.json")
    assert rows == {"CH root 1": True, "CH keys 1": True, "CH keys 2": True, "CH keys 3": "REVOCATION_DROPPED"}


def find_last_key(ceremony: KeyCeremony) -> str:
    return str(ceremony.show()["keys"]["keys"][-1]["key"])


def test_an_expired_root_is_refused(call: Call, ch: KeyCeremony, monkeypatch: pytest.MonkeyPatch) -> None:
    pin(call, ch)
    real = time.time
    monkeypatch.setattr("time.time", lambda: real() + 366 * 86_400)
    assert check(call, root_file(ch), ch.keys / "keys.1.json") == {"CH root 1": "EXPIRED", "CH keys 1": "EXPIRED"}
    refused = call("trust", "add", root_file(ch), "--replace", "--fingerprint", get_fingerprint_of(call))
    assert (refused.code, "has expired" in refused.error) == (1, True)


def get_fingerprint_of(call: Call) -> str:
    (row,) = call("trust", "list", "--json").json_document
    return str(row["fingerprint"])


def test_what_is_no_document_is_named(call: Call, ch: KeyCeremony, empty_folder: Path) -> None:
    pin(call, ch)
    (empty_folder / "other.json").write_text('{"signatures":[],"signed":{"kind":"notices"}}')
    (empty_folder / "text.json").write_text("{}\n\n")
    for name, message in (
        ("other.json", "other.json: is neither a root nor a key statement"),
        ("text.json", "text.json: is JSON, but not in canonical form"),
    ):
        refused = call("trust", "check", name)
        assert (refused.code, refused.error.startswith(message)) == (1, True)
    missing = call("trust", "check", "none.json")
    assert (missing.code, "none.json cannot be read" in missing.error) == (2, True)


def test_the_trust_file_must_be_named(call: Call, monkeypatch: pytest.MonkeyPatch, trust_file: Path) -> None:
    monkeypatch.delenv("SHARING_TRUST_FILE")
    refused = call("trust", "list")
    assert (refused.code, "SHARING_TRUST_FILE" in refused.error) == (2, True)
    trust_file.write_text("format: 1\nroots:\n- state: CH\n")
    refused = call("trust", "list", "--file", trust_file)
    assert (refused.code, refused.error.startswith("trust.yaml:3: roots.0")) == (2, True)


def test_a_state_is_unpinned(call: Call, ch: KeyCeremony, trust_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pin(call, ch)
    fingerprint = get_fingerprint(ch)
    removed = call("trust", "remove", "ch", "--json").json_document
    assert removed == {"state": "CH", "version": 1, "fingerprint": fingerprint, "file": "trust.yaml"}
    assert call("trust", "list", "--json").json_document == []
    again = call("trust", "remove", "CH")
    assert (again.code, again.error) == (2, "trust.yaml pins no root of CH; `sharing trust list` shows what it pins")
    assert "did you mean DE" in call("trust", "remove", "Germny").error
    pin(call, ch)
    monkeypatch.setenv("SHARING_KEY_FOLDER", str(ch.keys))
    own = call("trust", "remove", "CH")
    assert own.code == 2
    assert "CH is the State of the key folder" in own.error
    assert "CH" in trust_file.read_text()
