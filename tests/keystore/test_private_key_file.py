"""Private keys in files: encrypted, authenticated, and never shown."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from sharing.errors import InfrastructureError, InputError
from sharing.keystore import encryption
from sharing.keystore.encryption import ScryptParameters, derive_from_passphrase, normalise_passphrase
from sharing.keystore.key_access import KeyAccess
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.passphrases import read_passphrase_file
from sharing.keystore.private_key import generate_key
from sharing.keystore.private_key_file import encrypt_key, read_key_header, read_private_key, write_private_key
from sharing.trust.canonical import encode_canonical
from sharing.trust.public_keys import KeyAlgorithm
from sharing.trust.signatures import is_signature_by
from tests.conftest import SHIPPED_SCRYPT_LOG_N

PASSPHRASE = SecretStr("correct horse battery")


@pytest.mark.parametrize("algorithm", list(KeyAlgorithm))
def test_a_key_comes_back_from_its_file(tmp_path: Path, algorithm: KeyAlgorithm) -> None:
    role = "gate" if algorithm is KeyAlgorithm.ED25519 else "seal"
    key, path = generate_key("CH", role, algorithm), tmp_path / "key"
    write_private_key(path, key, PASSPHRASE)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_private_key(path, PASSPHRASE) == key
    assert read_key_header(path) == key.header
    if algorithm is KeyAlgorithm.ED25519:
        assert is_signature_by(key.public_key, key.to_signing_key().sign(b"message"), b"message")
    else:
        with pytest.raises(InputError, match="does not sign"):
            key.to_signing_key()


def test_neither_key_nor_passphrase_is_in_the_file_or_shown(tmp_path: Path) -> None:
    key, path = generate_key("CH", "gate", KeyAlgorithm.ED25519), tmp_path / "key"
    write_private_key(path, key, PASSPHRASE)
    seed = key.seed.get_secret_value()
    texts = [path.read_text(), repr(key), str(key), repr(key.to_signing_key()), repr(PASSPHRASE)]
    with pytest.raises(InputError) as wrong:
        read_private_key(path, SecretStr("another passphrase"))
    texts += [str(wrong.value), repr(wrong.value), repr(wrong.value.__dict__)]
    for text in texts:
        assert seed.hex() not in text
        assert repr(seed)[2:-1] not in text
        assert PASSPHRASE.get_secret_value() not in text
        assert "another passphrase" not in text
    assert seed not in path.read_bytes()


def test_each_file_has_its_own_salt_and_costs_a_guess_128_mebibytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encryption, "SCRYPT_LOG_N", SHIPPED_SCRYPT_LOG_N)
    key = generate_key("CH", "gate", KeyAlgorithm.ED25519)
    for name in ("a", "b"):
        write_private_key(tmp_path / name, key, PASSPHRASE)
    first, second = (json.loads((tmp_path / name).read_text()) for name in ("a", "b"))
    assert first["parameters"]["salt"] != second["parameters"]["salt"]
    assert first["encrypted"] != second["encrypted"]
    assert 128 * 8 * 2 ** first["parameters"]["log_n"] == 128 * 2**20


def test_a_wrong_passphrase_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_private_key(path, generate_key("CH", "gate", KeyAlgorithm.ED25519), PASSPHRASE)
    with pytest.raises(InputError, match=rf"^{path}: the passphrase is wrong, or the file was altered$"):
        read_private_key(path, SecretStr("correct horse battery "))


def write_altered_key(folder: Path, change: dict[str, dict[str, Any]]) -> Path:
    """Write the file of a private key, with some fields of its parts changed."""
    path = folder / "key"
    write_private_key(path, generate_key("CH", "gate", KeyAlgorithm.ED25519), PASSPHRASE)
    content = json.loads(path.read_text())
    for part, fields in change.items():
        content[part].update(fields)
    path.write_bytes(encode_canonical(content))
    return path


@pytest.mark.parametrize(
    "change",
    [
        {"header": {"state": "DE"}}, {"header": {"role": "desk"}}, {"parameters": {"log_n": 11}},
        {"encrypted": {"nonce": "0" * 24}}, {"encrypted": {"ciphertext": "00" * 48}},
    ],
)  # fmt: skip
def test_an_altered_file_does_not_open(tmp_path: Path, change: dict[str, dict[str, Any]]) -> None:
    path = write_altered_key(tmp_path, change)
    with pytest.raises(InputError, match="or the file was altered"):
        read_private_key(path, PASSPHRASE)


@pytest.mark.parametrize(
    "change",
    [
        {"parameters": {"log_n": 40}}, {"parameters": {"log_n": 19}},
        {"parameters": {"log_n": 1}}, {"parameters": {"kdf": "none"}},
        {"header": {"role": "auditor"}}, {"header": {"kind": "root"}}, {"encrypted": {"cipher": "none"}},
        {"encrypted": {"ciphertext": ""}},
    ],
)  # fmt: skip
def test_a_file_of_another_form_is_refused_before_a_key_is_derived(
    tmp_path: Path, change: dict[str, dict[str, Any]]
) -> None:
    path = write_altered_key(tmp_path, change)
    with pytest.raises(InputError, match="is not the file of a private key"):
        read_private_key(path, PASSPHRASE)


@pytest.mark.parametrize("length", [0, 1, 100, -1])
def test_a_truncated_file_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "key"
    write_private_key(path, generate_key("CH", "gate", KeyAlgorithm.ED25519), PASSPHRASE)
    data = path.read_bytes().rstrip()
    path.write_bytes(data[:length])
    with pytest.raises(InputError, match="is not the file of a private key"):
        read_private_key(path, PASSPHRASE)


def test_a_private_key_under_another_public_key_is_refused(tmp_path: Path) -> None:
    """Signing with one key under the public key of another would reveal the private key."""
    path = tmp_path / "key"
    key, other = (generate_key("CH", "gate", KeyAlgorithm.ED25519) for _ in range(2))
    write_private_key(path, type(key)(other.header, key.seed), PASSPHRASE)
    with pytest.raises(InputError, match="does not match"):
        read_private_key(path, PASSPHRASE)


def test_a_key_under_the_name_of_another_is_refused(tmp_path: Path) -> None:
    folder = KeyFolder(tmp_path)
    first, second = (generate_key("CH", "gate", KeyAlgorithm.ED25519) for _ in range(2))
    path = folder.write_private_key(encrypt_key(first, PASSPHRASE))
    path.rename(folder.locate_private_key("gate", second.public_key.key_id))
    with pytest.raises(InputError, match="is not the key that its name says"):
        folder.read_private_key("gate", second.public_key.key_id, KeyAccess(PASSPHRASE))


def test_passphrases_are_read_from_private_files_only(tmp_path: Path) -> None:
    path = tmp_path / "passphrase"
    path.write_text("correct horse battery\nsecond line\n")
    path.chmod(0o644)
    with pytest.raises(InputError, match="other users may access"):
        read_passphrase_file(path)
    path.chmod(0o600)
    assert read_passphrase_file(path).get_secret_value() == "correct horse battery"
    for data, message in ((b"", "12 characters"), (b"short\n", "12 characters"), (b"\xff" * 20, "not UTF-8")):
        path.write_bytes(data)
        with pytest.raises(InputError, match=re.escape(message)) as error:
            read_passphrase_file(path)
        assert "short" not in str(error.value)


def test_a_passphrase_is_the_same_from_every_keyboard() -> None:
    composed, decomposed = "pass-phrase-é", "pass-phrase-e\u0301"
    assert normalise_passphrase(composed) == normalise_passphrase(decomposed)


def test_too_little_memory_is_no_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhaust(*_: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr("sharing.keystore.encryption.Scrypt", lambda **_: SimpleNamespace(derive=exhaust))
    with pytest.raises(InfrastructureError, match="takes 256 MiB of memory"):
        derive_from_passphrase(SecretStr("correct horse battery"), ScryptParameters(log_n=18, salt="0" * 32))
