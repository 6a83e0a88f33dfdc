"""Backups: any m of n shares open them, fewer do not, and nothing is shown."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import pytest

from sharing.errors import InputError
from sharing.keystore.backup import (
    KEYS_MAX,
    Backup,
    BackupShare,
    make_backup,
    open_backup,
    read_backup,
    read_share,
    write_backup,
    write_share,
)
from sharing.keystore.private_key import generate_key
from sharing.trust.canonical import encode_canonical
from sharing.trust.public_keys import KeyAlgorithm

KEYS = [generate_key("CH", "seal", algorithm) for algorithm in (KeyAlgorithm.X25519, KeyAlgorithm.MLKEM768_X25519)]


def test_any_threshold_of_shares_opens_it_and_fewer_do_not() -> None:
    backup, shares = make_backup("CH", KEYS, 3, 5)
    for count in range(6):
        for chosen in combinations(shares, count):
            if count >= 3:
                assert open_backup(backup, chosen) == KEYS
            else:
                with pytest.raises(InputError, match=f"different shares that open this backup: 3; given: {count};"):
                    open_backup(backup, chosen)
    with pytest.raises(InputError, match="given: 1;"):
        open_backup(backup, [shares[0]] * 3)


def test_a_threshold_that_protects_nothing_is_refused() -> None:
    for threshold, count in ((1, 3), (0, 3), (4, 3), (2, 17)):
        with pytest.raises(InputError, match="a backup has 2 to 16 shares"):
            make_backup("CH", KEYS, threshold, count)


def test_a_lower_threshold_written_into_the_backup_opens_nothing() -> None:
    backup, shares = make_backup("CH", KEYS, 3, 5)
    lowered = Backup(header=backup.header.model_copy(update={"threshold": 2}), encrypted=backup.encrypted)
    with pytest.raises(InputError, match="do not open the backup"):
        open_backup(lowered, shares[:2])
    with pytest.raises(InputError, match="do not open the backup"):
        open_backup(lowered, shares)


def test_wrong_and_foreign_shares_are_refused() -> None:
    backup, shares = make_backup("CH", KEYS, 2, 3)
    other, foreign = make_backup("CH", KEYS, 2, 3)
    with pytest.raises(InputError, match="of another backup"):
        open_backup(backup, [shares[0], foreign[1]])
    wrong = shares[1].model_copy(update={"share": "0" * 32})
    with pytest.raises(InputError, match="one of them is wrong"):
        open_backup(backup, [shares[0], wrong])
    with pytest.raises(InputError, match="one of them is wrong"):
        open_backup(Backup(header=backup.header, encrypted=other.encrypted), shares)


def test_files_of_backup_and_shares(tmp_path: Path) -> None:
    backup, shares = make_backup("CH", KEYS, 2, 3)
    write_backup(tmp_path / "backup", backup)
    for share in shares:
        write_share(tmp_path / f"share{share.number}", share)
    assert read_backup(tmp_path / "backup") == backup
    assert [read_share(tmp_path / f"share{number}") for number in (1, 2, 3)] == shares
    assert (tmp_path / "share1").stat().st_mode & 0o777 == 0o600
    text = (tmp_path / "backup").read_text()
    for secret in (*(key.seed.get_secret_value().hex() for key in KEYS), *(share.share for share in shares)):
        assert secret not in text
        assert secret not in repr((backup, shares, KEYS))


def test_a_backup_of_many_keys_can_be_read_again(tmp_path: Path) -> None:
    keys = [KEYS[1]] * KEYS_MAX
    backup, shares = make_backup("CH", keys, 2, 2)
    write_backup(tmp_path / "backup", backup)
    assert open_backup(read_backup(tmp_path / "backup"), shares) == keys
    with pytest.raises(InputError, match="a backup holds 256 keys, and there are 257"):
        make_backup("CH", [*keys, KEYS[0]], 2, 2)


@pytest.mark.parametrize("position", range(0, 32, 5))
def test_a_mistyped_digit_is_found(tmp_path: Path, position: int) -> None:
    _, shares = make_backup("CH", KEYS, 2, 3)
    content = shares[0].model_dump(mode="json")
    digits = list(content["share"])
    digits[position] = "0" if digits[position] != "0" else "1"
    path = tmp_path / "share"
    path.write_bytes(encode_canonical({**content, "share": "".join(digits)}))
    path.chmod(0o600)
    with pytest.raises(InputError, match="a digit of this share is wrong"):
        read_share(path)


def test_what_is_no_backup_or_share_is_refused(tmp_path: Path) -> None:
    backup, shares = make_backup("CH", KEYS, 2, 3)
    write_backup(tmp_path / "backup", backup)
    write_share(tmp_path / "share", shares[0])
    (tmp_path / "backup").chmod(0o600)
    with pytest.raises(InputError, match="is not a backup"):
        read_backup(tmp_path / "share")
    with pytest.raises(InputError, match="is not a share"):
        read_share(tmp_path / "backup")
    (tmp_path / "share").chmod(0o644)
    with pytest.raises(InputError, match="other users may access"):
        read_share(tmp_path / "share")
    content = json.loads((tmp_path / "backup").read_text())
    content["header"]["threshold"] = 1
    (tmp_path / "backup").write_bytes(encode_canonical(content))
    with pytest.raises(InputError, match="is not a backup"):
        read_backup(tmp_path / "backup")
    assert BackupShare.model_fields["share"].repr is False
