"""The keys of a program that runs: opened once, followed through rotations, refused when exposed."""

from __future__ import annotations

import copy
import os
import pickle
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from sharing.errors import InputError
from sharing.keystore import key_access
from sharing.keystore.key_problems import find_key_problems
from sharing.keystore.online_keys import OnlineKeys
from sharing.keystore.private_key import generate_key, generate_wrapping_key
from sharing.keystore.private_key_file import read_private_key
from sharing.keystore.pruning import judge_private_keys
from sharing.keystore.signing_choice import LEAVE_MS, SETTLE_MS
from sharing.seal import hpke
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.public_keys import KeyAlgorithm, KeyRole
from sharing.trust.readers import Reader, change_readers, sign_readers
from sharing.trust.signatures import is_signature_by
from tests.keystore.state_keys import DAY, NOW, PASSPHRASE, StateKeys


@pytest.fixture
def opened(ch: StateKeys) -> OnlineKeys:
    return OnlineKeys.open(ch.path, PASSPHRASE)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were decrypted, in order."""
    found: list[Path] = []

    def read(path: Path, passphrase: SecretStr) -> Any:
        found.append(path)
        return read_private_key(path, passphrase)

    monkeypatch.setattr(key_access, "read_private_key", read)
    return found


def test_the_key_in_force_signs_and_is_opened_once(ch: StateKeys, opened: OnlineKeys, reads: list[Path]) -> None:
    for _ in range(3):
        key = opened.get_signing_key(KeyRole.GATE, NOW)
        assert key.public_key.key_id == ch.list_keys(KeyRole.GATE)[0]
        assert is_signature_by(key.public_key, key.sign(b"message"), b"message")
    assert [path.name.split(".")[0] for path in reads] == ["gate"]


def test_the_keys_of_another_state_are_refused_before_anything_is_signed(ch: StateKeys, reads: list[Path]) -> None:
    assert OnlineKeys.open(ch.path, PASSPHRASE, state="CH").get_trusted_keys(NOW).state == "CH"
    other = OnlineKeys.open(ch.path, PASSPHRASE, state="DE")
    uses: tuple[Callable[[], object], ...] = (
        lambda: other.get_signing_key(KeyRole.GATE, NOW),
        lambda: other.get_opening_keys(NOW),
        lambda: other.get_wrapping_key(NOW),
        lambda: other.get_trusted_keys(NOW),
    )
    for use in uses:
        with pytest.raises(InputError, match="is the key folder of CH, and this is a program of DE"):
            use()
    assert not reads


def test_what_is_sealed_to_a_seal_key_is_opened(ch: StateKeys, opened: OnlineKeys, reads: list[Path]) -> None:
    ch.rotate(KeyRole.SEAL, now=NOW + DAY)
    for _ in range(2):
        keys = opened.get_opening_keys(NOW + DAY)
        assert list(keys) == ch.list_keys(KeyRole.SEAL)
    for key_id, key in keys.items():
        assert key.public_key.key_id == key_id
        assert key.unwrap(hpke.wrap("CH", key.public_key, b"secret", b"info"), b"info") == b"secret"
    assert len([path for path in reads if path.name.startswith("seal")]) >= 2


def test_nothing_is_read_again_while_nothing_changes(
    ch: StateKeys, opened: OnlineKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened.get_signing_key(KeyRole.GATE, NOW)
    monkeypatch.setattr("sharing.keystore.key_folder.read_file", None)
    opened.get_signing_key(KeyRole.GATE, NOW + 1)
    monkeypatch.undo()
    ch.rotate(KeyRole.GATE, now=NOW + DAY)
    assert opened.get_trusted_keys(NOW + DAY).statement.version == 2


def test_after_a_rotation_the_key_before_signs_until_others_know_the_new_one(ch: StateKeys, opened: OnlineKeys) -> None:
    first = opened.get_signing_key(KeyRole.GATE, NOW).public_key.key_id
    ch.rotate(KeyRole.GATE, now=NOW + DAY)
    later = NOW + DAY + 60_000  # the program notices it a minute later
    second = ch.list_keys(KeyRole.GATE)[1]
    assert opened.get_signing_key(KeyRole.GATE, later).public_key.key_id == first
    assert opened.get_signing_key(KeyRole.GATE, later + SETTLE_MS - 1).public_key.key_id == first
    assert opened.get_signing_key(KeyRole.GATE, later + SETTLE_MS).public_key.key_id == second


class OldFolder:
    """CH's key folder was put back from a copy that is older than the newest statement, which the directory has."""

    def __init__(self, ch: StateKeys, copy: Path) -> None:
        shutil.copytree(ch.path, copy)
        self.newest = ch
        self.opened = OnlineKeys.open(copy, PASSPHRASE)
        self.opened.follow_published(lambda: ch.folder.read_keys(ch.folder.read_roots()))

    def sign(self, now: int) -> str:
        return self.opened.get_signing_key(KeyRole.GATE, now).public_key.key_id


def test_a_key_that_the_directory_revokes_does_not_sign(ch: StateKeys, tmp_path: Path) -> None:
    """The folder does not know of the revocation, and every other State refuses what the key signs."""
    old, (gate,) = OldFolder(ch, tmp_path / "copy"), ch.list_keys(KeyRole.GATE)
    assert old.sign(NOW) == gate
    ch.rotate(KeyRole.GATE, now=NOW + DAY)
    assert old.sign(NOW + DAY) == gate, "an old folder alone stops nothing"
    ch.revoke(gate, at=NOW + 2 * DAY, now=NOW + DAY)
    assert old.sign(NOW + 2 * DAY - 1) == gate, "there is no other, and what it signs still counts"
    with pytest.raises(InputError) as refused:
        old.sign(NOW + 2 * DAY)
    assert str(refused.value).startswith("CH: no gate key in the key folder ")
    assert "has key statement 1, may sign: key statement 3 in the directory revokes them; an older" in str(
        refused.value
    )
    assert old.opened.get_opening_keys(NOW + 2 * DAY), "what arrives is still opened"
    for path in ch.path.glob("keys.*.json"):
        shutil.copy(path, tmp_path / "copy")
    for path in (ch.path / "private").iterdir():
        shutil.copy(path, tmp_path / "copy" / "private")
    assert old.sign(NOW + 2 * DAY) == ch.list_keys(KeyRole.GATE)[1]


def test_another_key_signs_that_the_directory_does_not_revoke(ch: StateKeys, tmp_path: Path) -> None:
    ch.rotate(KeyRole.GATE, now=NOW + DAY)
    old, (first, second) = OldFolder(ch, tmp_path / "copy"), ch.list_keys(KeyRole.GATE)
    ch.revoke(second, at=NOW + 2 * DAY, now=NOW + DAY)
    assert old.sign(NOW + 2 * DAY - LEAVE_MS - 1) == second
    assert old.sign(NOW + 2 * DAY - LEAVE_MS) == first, "it leaves in time"
    assert old.sign(NOW + 2 * DAY) == first


def test_with_an_old_folder_what_a_revoked_registrar_has_signed_counts_for_nobody(
    ch: StateKeys, tmp_path: Path
) -> None:
    """The registrar's key was stolen, and the list of readers that it has signed may name the thief."""
    ch.rotate(KeyRole.REGISTRAR, now=NOW)
    key = generate_key("CH", "reader", KeyAlgorithm.X25519).public_key
    content = change_readers("CH", None, added=[Reader(name="cases", key=key)], removed=(), last_version=0, now=NOW)
    registrar = OnlineKeys.open(ch.path, PASSPHRASE).get_signing_key(KeyRole.REGISTRAR, NOW)
    ch.folder.write_readers(sign_readers(content, registrar), 1)
    old = OldFolder(ch, tmp_path / "copy").opened
    assert old.get_readers(NOW) == (key,)
    ch.revoke(registrar.public_key.key_id, at=NOW + DAY, now=NOW + DAY)
    with pytest.raises(TrustError) as refused:
        old.get_readers(NOW + DAY)
    assert refused.value.fault is TrustFault.REVOKED
    assert (old.get_newest_keys(NOW + DAY).statement.version, old.get_trusted_keys(NOW + DAY).statement.version) == (
        3,
        2,
    )


def test_a_revocation_in_the_directory_counts_also_if_the_folder_went_another_way(
    ch: StateKeys, tmp_path: Path
) -> None:
    """After the copy was put back, a ceremony was held on it: it has as many statements, and others refuse them."""
    old, (gate,) = OldFolder(ch, tmp_path / "copy"), ch.list_keys(KeyRole.GATE)
    ch.revoke(gate, at=NOW + DAY, now=NOW + DAY)
    forked = StateKeys(tmp_path / "copy", root_key=ch.root_key)
    for _ in range(2):
        forked.rotate(KeyRole.SEAL, now=NOW + DAY)
    with pytest.raises(InputError, match=r"has key statement 3, may sign: key statement 2 in the directory revokes"):
        old.sign(NOW + DAY)


def test_without_a_key_before_the_new_one_signs_at_once(ch: StateKeys, opened: OnlineKeys) -> None:
    first = opened.get_signing_key(KeyRole.GATE, NOW).public_key.key_id
    ch.rotate(KeyRole.GATE, now=NOW + DAY)
    ch.revoke(first, at=NOW + DAY, now=NOW + DAY)
    assert opened.get_signing_key(KeyRole.GATE, NOW + DAY).public_key.key_id == ch.list_keys(KeyRole.GATE)[1]


def test_of_two_new_keys_the_one_signs_that_others_know_longer(ch: StateKeys, opened: OnlineKeys) -> None:
    """Also if none of them is known for five minutes: otherwise other States would refuse what the newest signs."""
    first = opened.get_signing_key(KeyRole.GATE, NOW).public_key.key_id
    ch.rotate(KeyRole.GATE, now=NOW + 60_000)
    assert opened.get_signing_key(KeyRole.GATE, NOW + 60_000).public_key.key_id == first
    ch.rotate(KeyRole.GATE, now=NOW + 120_000)
    second = ch.list_keys(KeyRole.GATE)[1]
    ch.revoke(first, at=NOW + 130_000, now=NOW + 130_000)
    assert opened.get_signing_key(KeyRole.GATE, NOW + 130_000).public_key.key_id == second


def test_a_key_signs_no_longer_when_its_revocation_is_near(ch: StateKeys, opened: OnlineKeys) -> None:
    first = opened.get_signing_key(KeyRole.GATE, NOW).public_key.key_id
    ch.rotate(KeyRole.GATE, now=NOW + 60_000)
    second, effective_at = ch.list_keys(KeyRole.GATE)[1], NOW + 150_000
    ch.revoke(first, at=effective_at, now=NOW + 70_000)
    assert opened.get_signing_key(KeyRole.GATE, effective_at - LEAVE_MS - 1).public_key.key_id == first
    assert opened.get_signing_key(KeyRole.GATE, effective_at - LEAVE_MS).public_key.key_id == second


def test_a_revoked_key_neither_signs_nor_opens(ch: StateKeys, opened: OnlineKeys) -> None:
    opened.get_signing_key(KeyRole.GATE, NOW)
    (seal,) = opened.get_opening_keys(NOW)
    for key_id in (ch.list_keys(KeyRole.GATE)[0], seal):
        ch.revoke(key_id, at=NOW + 1000, now=NOW)
    opened.get_signing_key(KeyRole.GATE, NOW + 999)
    assert seal in opened.get_opening_keys(NOW + 999)
    with pytest.raises(InputError, match="no gate key is in force; run `sharing keys issue --role gate`"):
        opened.get_signing_key(KeyRole.GATE, NOW + 1000)
    assert not opened.get_opening_keys(NOW + 1000)


def test_keys_that_have_ended_are_dropped_from_memory(ch: StateKeys, opened: OnlineKeys) -> None:
    opened.get_signing_key(KeyRole.GATE, NOW)
    (seal,) = opened.get_opening_keys(NOW)
    assert (len(opened._signing), len(opened._opening)) == (1, 1)
    end = NOW + 30 * DAY
    assert seal in opened.get_opening_keys(end + 30 * DAY)
    assert (len(opened._signing), len(opened._opening)) == (0, 1)
    assert not opened.get_opening_keys(end + 30 * DAY + 1)
    assert (len(opened._signing), len(opened._opening)) == (0, 0)


def test_nothing_signs_under_an_expired_statement(opened: OnlineKeys) -> None:
    with pytest.raises(TrustError, match="has expired") as caught:
        opened.get_signing_key(KeyRole.GATE, NOW + 31 * DAY)
    assert caught.value.fault is TrustFault.EXPIRED


@pytest.mark.parametrize("role", [KeyRole.DESK, KeyRole.SEAL])
def test_a_role_without_a_signing_key_is_refused(opened: OnlineKeys, role: KeyRole) -> None:
    with pytest.raises(InputError, match=r"no desk key is in force|does not sign"):
        opened.get_signing_key(role, NOW)


@pytest.mark.parametrize("name", ["", "private"])
def test_an_exposed_folder_is_refused(ch: StateKeys, opened: OnlineKeys, name: str) -> None:
    (ch.path / name).chmod(0o770)
    with pytest.raises(InputError, match="other users may write to"):
        opened.get_signing_key(KeyRole.GATE, NOW)


def test_an_exposed_file_is_refused(ch: StateKeys, opened: OnlineKeys) -> None:
    ch.folder.locate_private_key("gate", ch.list_keys(KeyRole.GATE)[0]).chmod(0o640)
    with pytest.raises(InputError, match="other users may access"):
        opened.get_signing_key(KeyRole.GATE, NOW)


def test_a_wrong_passphrase_opens_nothing(ch: StateKeys) -> None:
    wrong = OnlineKeys.open(ch.path, SecretStr("another passphrase"))
    for use in (
        lambda: wrong.get_signing_key(KeyRole.GATE, NOW),
        lambda: wrong.get_opening_keys(NOW),
        lambda: wrong.get_wrapping_key(NOW),
    ):
        with pytest.raises(InputError, match="the passphrase is wrong"):
            use()
    with pytest.raises(InputError, match="is encrypted with a passphrase"):
        OnlineKeys.open(ch.path).get_signing_key(KeyRole.GATE, NOW)


def test_a_private_key_that_is_missing_is_named(ch: StateKeys, opened: OnlineKeys) -> None:
    ch.folder.locate_private_key("gate", ch.list_keys(KeyRole.GATE)[0]).unlink()
    ch.folder.locate_private_key("seal", ch.list_keys(KeyRole.SEAL)[0]).unlink()
    for use in (lambda: opened.get_signing_key(KeyRole.GATE, NOW), lambda: opened.get_opening_keys(NOW)):
        with pytest.raises(InputError, match=r"is not in .*private; put it back, or revoke the key"):
            use()
    assert not opened.get_opening_keys(NOW + 30 * DAY + 1)  # it has ended: what can be opened is opened


def test_an_older_statement_is_not_gone_back_to(ch: StateKeys, opened: OnlineKeys) -> None:
    ch.rotate(KeyRole.GATE, now=NOW + DAY)
    opened.get_signing_key(KeyRole.GATE, NOW + DAY)
    (ch.path / "keys.2.json").unlink()
    with pytest.raises(TrustError, match="is older than 2, which was accepted before"):
        opened.get_signing_key(KeyRole.GATE, NOW + DAY)


def test_a_folder_that_is_gone_is_refused_although_keys_are_in_memory(ch: StateKeys, opened: OnlineKeys) -> None:
    opened.get_signing_key(KeyRole.GATE, NOW)
    ch.path.rename(ch.path.with_name("elsewhere"))
    with pytest.raises(InputError, match="cannot be read: No such file"):
        opened.get_signing_key(KeyRole.GATE, NOW)


def test_a_folder_without_online_keys_says_what_to_do(tmp_path: Path) -> None:
    state = StateKeys(tmp_path)
    state.init()
    with pytest.raises(InputError, match="has no online keys; `sharing keys issue` makes them"):
        OnlineKeys.open(tmp_path, PASSPHRASE).get_opening_keys(NOW)


def test_the_newest_wrapping_key_wraps_and_older_ones_are_found(ch: StateKeys, opened: OnlineKeys) -> None:
    first, value = opened.get_wrapping_key(NOW)
    assert len(value.get_secret_value()) == 32
    second = ch.add_wrapping_key(NOW + 1)
    assert opened.get_wrapping_key(NOW)[0] == second
    assert opened.get_wrapping_key(NOW)[1] != value
    assert opened.find_wrapping_key(first, NOW) == value
    assert opened.find_wrapping_key("0" * 64, NOW) is None


def test_a_wrapping_key_of_another_state_wraps_nothing(ch: StateKeys, opened: OnlineKeys) -> None:
    """That State could open it; and when the file is moved away, nobody of this State could."""
    own, _ = opened.get_wrapping_key(NOW)
    foreign = generate_wrapping_key("DE", NOW + 1)
    path = ch.folder.write_private_key(ch.access.protect(foreign))
    assert opened.get_wrapping_key(NOW + 2)[0] == own
    assert opened.find_wrapping_key(foreign.key_id, NOW + 2) is None
    roots = ch.folder.read_roots()
    problems = find_key_problems(ch.folder, roots[-1], ch.folder.read_keys(roots), NOW + 2)
    assert f"{path} is a key of DE, not of CH; move it elsewhere" in [problem.sentence for problem in problems]
    verdicts = {verdict.key_id: verdict for verdict in judge_private_keys(ch.folder, roots, NOW + 400 * DAY)}
    assert verdicts[own].reason == "the newest wrapping key: it wraps"
    assert verdicts[foreign.key_id].is_needed


def test_without_a_wrapping_key_it_is_said_what_to_do(ch: StateKeys, opened: OnlineKeys) -> None:
    next((ch.path / "private").glob("wrap.*")).unlink()
    with pytest.raises(InputError, match="`sharing keys rotate wrap` makes one"):
        opened.get_wrapping_key(NOW)


def test_threads_share_it(ch: StateKeys, opened: OnlineKeys, reads: list[Path]) -> None:
    threads = [threading.Thread(target=opened.get_signing_key, args=(KeyRole.GATE, NOW)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reads) == 1


def test_it_shows_and_stores_nothing(ch: StateKeys, opened: OnlineKeys) -> None:
    opened.get_signing_key(KeyRole.GATE, NOW)
    opened.get_opening_keys(NOW)
    _, value = opened.get_wrapping_key(NOW)
    seeds = [read_private_key(path, PASSPHRASE).seed for path in (ch.path / "private").iterdir()]
    shown = "".join(map(repr, (opened, opened._access, opened._signing, opened._opening, opened._wrapping, value)))
    for secret in (PASSPHRASE.get_secret_value(), *(seed.get_secret_value().hex() for seed in seeds)):
        assert secret not in shown
    assert not [seed for seed in seeds if repr(seed.get_secret_value())[2:-1] in shown]
    for copier in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="never copied"):
            copier(opened)
    assert os.fspath(ch.path) in repr(opened)


def test_readers_are_those_of_the_newest_list(ch: StateKeys, opened: OnlineKeys) -> None:
    with pytest.raises(InputError, match="has no list of readers"):
        opened.get_readers(NOW)
    ch.rotate(KeyRole.REGISTRAR, now=NOW)
    registrar = opened.get_signing_key(KeyRole.REGISTRAR, NOW)
    desk = Reader(name="desk", key=generate_key("CH", "reader", KeyAlgorithm.X25519).public_key)
    first = change_readers("CH", None, added=[desk], now=NOW)
    second = change_readers("CH", first, removed=["desk"], now=NOW)
    ch.folder.write_readers(sign_readers(first, registrar), 1)
    assert opened.get_readers(NOW) == (desk.key,)
    path = ch.folder.write_readers(sign_readers(second, registrar), 2)
    assert opened.get_readers(NOW) == ()
    path.unlink()
    with pytest.raises(TrustError, match="is older than 2, which was read before"):
        opened.get_readers(NOW)
    again = OnlineKeys.open(ch.path, PASSPHRASE)
    assert again.get_readers(NOW) == (desk.key,)
    with pytest.raises(TrustError, match="has expired"):
        again.get_readers(NOW + 31 * DAY)
    ch.revoke(registrar.public_key.key_id, at=NOW + DAY, now=NOW)
    assert again.get_readers(NOW + DAY - 1) == (desk.key,)
    with pytest.raises(TrustError, match="was revoked"):
        again.get_readers(NOW + DAY + 1000)
