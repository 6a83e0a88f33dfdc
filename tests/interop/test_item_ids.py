"""Ids of items from files: they reveal nothing without the agency's secret, and are the same each time with it."""

from __future__ import annotations

import hashlib
import hmac
import os
import uuid
from pathlib import Path

import pytest

from sharing.errors import SettingsError
from sharing.ids import make_imported_id
from sharing.interop.id_secret import make_missing_secret_error, read_id_secret

SECRET = bytes(range(32))
IDENTITY = ("misp", "5be1ee80-f71c-4da5-83e2-61410a016219", "")


def write_secret(folder: Path, data: bytes, mode: int = 0o600) -> Path:
    path = folder / "id-secret"
    path.write_bytes(data)
    path.chmod(mode)
    return path


def test_an_id_is_an_hmac_as_a_uuid_of_version_8() -> None:
    identity = uuid.UUID(make_imported_id(SECRET, "CH", "fedpol", IDENTITY))
    assert (identity.version, identity.variant) == (8, uuid.RFC_4122)
    text = f'["CH","fedpol","misp","{IDENTITY[1]}",""]'
    expected = bytearray(hmac.new(SECRET, text.encode(), hashlib.sha256).digest()[:16])
    expected[6] = expected[6] & 0x0F | 0x80
    expected[8] = expected[8] & 0x3F | 0x80
    assert identity.bytes == bytes(expected)


def test_an_id_depends_on_secret_state_agency_and_every_part_of_the_identity() -> None:
    variants = [
        (SECRET, "CH", "fedpol", IDENTITY),
        (SECRET[::-1], "CH", "fedpol", IDENTITY),
        (SECRET, "DE", "fedpol", IDENTITY),
        (SECRET, "CH", "customs", IDENTITY),
        (SECRET, "CH", "fedpol", ("value", *IDENTITY[1:])),
        (SECRET, "CH", "fedpol", (*IDENTITY[:2], "ip")),
        (SECRET, "CH", "fedpol", (IDENTITY[0], f'{IDENTITY[1]}","')),
        (SECRET, "CH", 'fedpol","misp', IDENTITY[1:]),
    ]
    assert len({make_imported_id(*variant) for variant in variants}) == len(variants)
    assert make_imported_id(*variants[0]) == make_imported_id(*variants[0])


@pytest.mark.parametrize("data", [SECRET, SECRET.hex().encode(), f"  {SECRET.hex().upper()}\n".encode()])
def test_a_secret_is_read_as_bytes_or_hexadecimal_digits(tmp_path: Path, data: bytes) -> None:
    assert read_id_secret(write_secret(tmp_path, data)) == SECRET


@pytest.mark.parametrize(
    "data", [b"", SECRET[:31], SECRET[:31].hex().encode(), bytes(64), b"0" * 64, b"changeme" * 2, os.urandom(5000)]
)
def test_a_file_without_32_random_bytes_is_refused_with_the_remedy(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(SettingsError, match=r"does not contain 32 random bytes; make one with `openssl rand -hex 32"):
        read_id_secret(write_secret(tmp_path, data))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o620])
def test_a_secret_that_others_may_access_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(SettingsError, match=r"other users may access .*chmod 600"):
        read_id_secret(write_secret(tmp_path, SECRET, mode))
    assert read_id_secret(write_secret(tmp_path, SECRET, 0o400)) == SECRET


def test_a_missing_file_or_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot be read \(No such file or directory\); make one with"):
        read_id_secret(tmp_path / "nowhere")
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o700)
    with pytest.raises(SettingsError, match="does not contain"):
        read_id_secret(folder)


def test_the_error_for_a_missing_secret_says_how_to_make_one() -> None:
    error = make_missing_secret_error()
    assert "SHARING_ID_SECRET_FILE is not set" in str(error)
    assert "openssl rand -hex 32 > FILE; chmod 600 FILE" in str(error)
    assert error.exit_code == 2
