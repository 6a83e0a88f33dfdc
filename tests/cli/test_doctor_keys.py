"""What `sharing doctor` says of keys, pins, and what is remembered."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from sharing.cli.doctor.keys import check_own_keys, check_pins, find_ending_roots
from sharing.keystore.files import lock_folder
from sharing.settings import load_settings
from sharing.trust.public_keys import KeyRole
from tests.cli.conftest import Call
from tests.cli.key_ceremonies import KeyCeremony, make_ceremony
from tests.directory.signed_states import SignedState
from tests.support.softhsm import make_soft_token

Findings = list[dict[str, Any]]


@pytest.fixture
def ch(call: Call, empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> KeyCeremony:
    """CH's worker: its keys, their passphrase, its trust file and its state folder are configured."""
    ceremony = make_ceremony(call, empty_folder / "ch")
    assert ceremony.run("issue").code == 0
    trust = empty_folder / "trust.yaml"
    de = make_ceremony(call, empty_folder / "de", "DE")
    fingerprint = de.show()["root"]["fingerprint"]
    root = de.keys / "root.1.json"
    assert call("trust", "add", root, "--fingerprint", fingerprint, "--file", trust).code == 0
    monkeypatch.setenv("SHARING_KEY_FOLDER", str(ceremony.keys))
    monkeypatch.setenv("SHARING_KEY_PASSPHRASE_FILE", str(ceremony.folder / "online.pass"))
    monkeypatch.setenv("SHARING_TRUST_FILE", str(trust))
    monkeypatch.setenv("SHARING_STATE_FOLDER", str(empty_folder / "state"))
    return ceremony


def examine(check: str) -> Findings:
    settings = load_settings()
    findings = [asdict(finding) for finding in (*check_own_keys(settings), *check_pins(settings))]
    assert "canary" not in str(findings)
    return [finding for finding in findings if finding["check"] == check]


def get_finding(check: str) -> tuple[bool, bool, str]:
    (finding,) = examine(check)
    return finding["ok"], finding["warning"], f"{finding['detail']}; {finding['remedy']}"


def test_in_plain_mode_there_is_nothing_to_examine(empty_folder: Path) -> None:
    sentence = "neither keys nor pins are configured: nothing is signed or sealed; "
    assert get_finding("keys") == (True, False, sentence)
    assert examine("pins") == examine("memory") == examine("private keys") == []


def test_the_key_folder_of_another_state(ch: KeyCeremony, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARING_STATE", "DE")
    ok, _, sentence = get_finding("keys")
    assert (ok, "is the key folder of CH, and SHARING_STATE is DE; correct" in sentence) == (False, True)
    assert examine("private keys") == []
    monkeypatch.setenv("SHARING_STATE", "CH")
    assert get_finding("keys")[0]


def test_a_healthy_worker(call: Call, ch: KeyCeremony) -> None:
    expected = {
        "keys": "CH: root until ",
        "private keys": "opened: gate, conversation, directory, registrar, desk, seal, wrap",
        "pins": "pins the roots of DE",
        "memory": "is remembered in",
    }
    document = call("doctor", "--json").json_document
    assert [finding["check"] for finding in document if finding["check"] in expected] == list(expected)
    for check, text in expected.items():
        ok, warning, sentence = get_finding(check)
        assert (ok, warning, text in sentence) == (True, False, True), sentence
    (ch.keys.parent.parent / "state").mkdir()
    assert get_finding("memory")[0]


@pytest.mark.parametrize(
    ("days", "urgent", "soon"),
    [
        (1, (), ()),
        (25, (), ("the key statement ends at", "the gate key ends at", "the seal key ends at")),
        (31, ("key statement 1 has expired", "gate: no key is in force", "seal: no key is in force"), ()),
        (340, ("key statement 1 has expired",), ("the root ends at",)),
        (366, ("version 1 of the root has expired",), ()),
    ],
)
def test_expiry_of_root_statement_and_each_role(
    ch: KeyCeremony,
    monkeypatch: pytest.MonkeyPatch,
    days: int,
    urgent: tuple[str, ...],
    soon: tuple[str, ...],
) -> None:
    real = time.time
    monkeypatch.setattr("time.time", lambda: real() + days * 86_400)
    findings = examine("keys")
    assert all(finding["remedy"] or finding["ok"] for finding in findings)
    for ok, sentences in ((False, urgent), (True, soon)):
        said = [finding["detail"] for finding in findings if finding["ok"] is ok and finding["warning"]]
        for sentence in sentences:
            assert any(sentence in detail for detail in said), findings
        assert bool(said) == bool(sentences)


def test_files_that_others_may_access(ch: KeyCeremony) -> None:
    key = next((ch.keys / "private").glob("gate.*"))
    key.chmod(0o644)
    ch.keys.chmod(0o775)
    details = {finding["detail"]: finding["remedy"] for finding in examine("keys") if not finding["ok"]}
    assert details == {
        f"other users may write to {ch.keys}": f"restrict it with `chmod go-w {ch.keys}`",
        f"other users may access {key}": f"restrict it with `chmod 600 {key}`",
    }
    trust = ch.folder.parent / "trust.yaml"
    trust.chmod(0o666)
    assert f"chmod go-w {trust}" in get_finding("pins")[2]
    state = ch.folder.parent / "state"
    state.mkdir()
    state.chmod(0o777)
    assert (get_finding("memory")[0], f"chmod go-w {state}" in get_finding("memory")[2]) == (False, True)


def test_private_keys_that_do_not_open(ch: KeyCeremony, monkeypatch: pytest.MonkeyPatch) -> None:
    ch.write_secret("online.pass", "not the passphrase")
    assert "the passphrase is wrong" in get_finding("private keys")[2]
    (ch.folder / "online.pass").chmod(0o644)
    assert "other users may access" in get_finding("private keys")[2]
    monkeypatch.delenv("SHARING_KEY_PASSPHRASE_FILE")
    assert "set SHARING_KEY_PASSPHRASE_FILE, or SHARING_KEY_TOKEN" in get_finding("private keys")[2]


@pytest.mark.parametrize(("role", "ok"), [("gate", False), ("directory", False), ("seal", False), ("desk", True)])
def test_a_private_key_that_is_not_there(ch: KeyCeremony, role: str, ok: bool) -> None:
    (key,) = [key for key in ch.show()["keys"]["keys"] if key["role"] == role]
    (ch.keys / "private" / f"{role}.{key['key'][:16]}.key").unlink()
    found, _, sentence = get_finding("private keys")
    assert (found, f"the private key of the {role} key" in sentence) == (ok, not ok)


def test_keys_in_a_token(ch: KeyCeremony, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = make_soft_token(tmp_path / "token", monkeypatch)
    roles = [str(role) for role in KeyRole]
    for _ in range(2):  # the successors are in the token, and then in force
        assert ch.run("rotate", *roles, "--token", token.address).code == 0
    monkeypatch.setenv("SHARING_KEY_TOKEN", token.address)
    assert get_finding("private keys")[0] is True
    token.pin_file.write_text("wrong pin\n")
    assert "the PIN of the token 'CH keys' is wrong" in get_finding("private keys")[2]


def test_one_half_of_the_configuration(ch: KeyCeremony, monkeypatch: pytest.MonkeyPatch) -> None:
    trust = str(ch.folder.parent / "trust.yaml")
    monkeypatch.delenv("SHARING_TRUST_FILE")
    ok, warning, sentence = get_finding("pins")
    assert (ok, warning, "set SHARING_TRUST_FILE" in sentence) == (True, True, True)
    monkeypatch.setenv("SHARING_TRUST_FILE", trust)
    monkeypatch.delenv("SHARING_KEY_FOLDER")
    ok, warning, sentence = get_finding("keys")
    assert (ok, warning, "set SHARING_KEY_FOLDER" in sentence) == (True, True, True)


def test_without_a_state_folder_it_is_said_what_is_forgotten(ch: KeyCeremony, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHARING_STATE_FOLDER")
    ok, warning, sentence = get_finding("memory")
    assert (ok, warning) == (True, True)
    assert "is forgotten at each start" in sentence
    assert "set SHARING_STATE_FOLDER" in sentence


def test_a_damaged_folder_or_trust_file(ch: KeyCeremony) -> None:
    (ch.keys / "keys.1.json").rename(ch.keys / "keys.2.json")
    assert "keys.1.json is missing" in get_finding("keys")[2]
    trust = ch.folder.parent / "trust.yaml"
    text = trust.read_text()
    trust.write_text(text.replace("DE", "XX"))
    assert get_finding("pins")[0] is False
    trust.unlink()
    ok, _, sentence = get_finding("pins")
    assert (ok, "does not exist, so it pins no root: a worker does not start" in sentence) == (False, True)


def test_a_pin_of_the_own_state_that_is_another_root(call: Call, ch: KeyCeremony) -> None:
    trust = ch.folder.parent / "trust.yaml"
    own = ch.show()["root"]["fingerprint"]
    assert call("trust", "add", ch.keys / "root.1.json", "--fingerprint", own, "--file", trust).code == 0
    assert get_finding("pins")[0] is True
    trust.write_text(trust.read_text().replace(own[:4], "dead" if own[:4] != "dead" else "beef"))
    ok, _, sentence = get_finding("pins")
    assert (ok, "pins another root of CH than those in" in sentence) == (False, True)


def test_a_pinned_root_that_ends_soon() -> None:
    states = [SignedState("DE"), SignedState("FR")]
    trusted = {state.state: state.keys for state in states}
    end = states[0].root.metadata.expires_at
    assert list(find_ending_roots(trusted, end - 31 * 86_400_000)) == []
    found = list(find_ending_roots({"DE": trusted["DE"]}, end - 29 * 86_400_000))
    assert [(finding.check, finding.ok, finding.warning) for finding in found] == [("pins", True, True)]
    assert "version 1 of the root of DE ends at" in found[0].detail
    assert len(list(find_ending_roots(trusted, end - 1))) == 2


def test_it_changes_nothing_and_waits_for_nobody(ch: KeyCeremony) -> None:
    before = ch.list_files()
    with lock_folder(ch.keys):
        assert get_finding("keys")[0] is True
    assert ch.list_files() == before
    assert not (ch.folder.parent / "state").exists()
