"""Signed packs: only the law that a State's law office approved is applied."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PublicFormat,
)

from sharing.errors import InputError, PackError, SettingsError
from sharing.packs.archive import find_law_version
from sharing.packs.library import find_law, find_law_by_code, load_law, load_shipped_treaties
from sharing.packs.signature import SIGNATURE_CONTEXT, is_signature_valid, read_private_key, read_public_keys, sign_pack
from tests.packs.pack_fixtures import AMENDED, KEY, KEYS, OTHER, TEMPLATE, private_pem, public_pem


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a signed template and a treaty table."""
    (tmp_path / "eu.yaml").write_text(TEMPLATE)
    (tmp_path / "treaties.yaml").write_text(load_shipped_treaties().text)
    (tmp_path / "eu.yaml.sig").write_text(sign_pack(find_law_by_code("EU", tmp_path).pack.sha256, KEY))
    return tmp_path


def test_a_signed_pack_is_applied(folder: Path) -> None:
    assert find_law("AT", folder, "EU", keys=KEYS).pack.state == "AT"
    both_keys = (OTHER.public_key(), *KEYS)  # during a key change, either key is accepted
    assert find_law("AT", folder, "EU", keys=both_keys).pack.state == "AT"


def test_a_signature_is_valid_only_with_the_context_of_packs() -> None:
    sha256 = "ab" * 32
    KEY.public_key().verify(base64.b64decode(sign_pack(sha256, KEY)), b"sharing/law-pack/v1\x00" + b"\xab" * 32)
    assert is_signature_valid(sha256, sign_pack(sha256, KEY), KEYS)
    for message in (b"\xab" * 32, SIGNATURE_CONTEXT + b"\xac" * 32, b"sharing/notice/v1\x00" + b"\xab" * 32):
        assert not is_signature_valid(sha256, base64.b64encode(KEY.sign(message)).decode(), KEYS)


@pytest.mark.parametrize("name", ["eu.yaml", "treaties.yaml"])
def test_a_file_changed_after_signing_is_refused(folder: Path, name: str) -> None:
    path = folder / name
    path.write_text(path.read_text() + "# one more line\n")
    with pytest.raises(PackError) as caught:
        find_law("AT", folder, "EU", keys=KEYS)
    assert str(caught.value).startswith(
        "eu.yaml: eu.yaml.sig is not a valid signature of this law by the key in SHARING_PACK_KEY: the pack, the "
        "treaty table or the common rules were changed after signing, or another key was used. Restore the "
        "signed files, or "
    )
    assert find_law("AT", folder, "EU").pack.code == "EU"  # without keys, signatures are ignored


def test_a_treaty_table_added_after_signing_is_a_change(folder: Path) -> None:
    (folder / "treaties.yaml").unlink()  # the shipped table has the same text, so the hash is the same
    assert find_law("AT", folder, "EU", keys=KEYS).pack.state == "AT"
    (folder / "treaties.yaml").write_text(load_shipped_treaties().text.replace("CH: 2012-01-01", "CH: 2012-01-02"))
    with pytest.raises(PackError, match="is not a valid signature"):
        find_law("AT", folder, "EU", keys=KEYS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no signature\n",
        "é\n",
        base64.b64encode(b"\x00" * 64).decode(),
        sign_pack("00" * 32, KEY),
        base64.b64encode(b"short").decode(),
    ],
)
def test_an_invalid_signature_is_refused(folder: Path, text: str) -> None:
    (folder / "eu.yaml.sig").write_text(text)
    with pytest.raises(PackError, match="is not a valid signature of this law by the key in SHARING_PACK_KEY"):
        find_law("AT", folder, "EU", keys=KEYS)


def test_a_signature_by_another_key_is_refused(folder: Path) -> None:
    with pytest.raises(PackError, match="or another key was used"):
        find_law("AT", folder, "EU", keys=(OTHER.public_key(),))


def test_the_error_for_a_missing_signature_names_the_remedy(folder: Path) -> None:
    (folder / "eu.yaml.sig").unlink()
    expected = (
        "eu.yaml: is not signed, but SHARING_PACK_KEY requires a signature (eu.yaml.sig); ask the State's law "
        "office to check the pack and to run `sharing law sign eu.yaml --key KEY.pem`"
    )
    with pytest.raises(PackError) as caught:
        load_law(folder / "eu.yaml", keys=KEYS)
    assert str(caught.value) == expected
    with pytest.raises(PackError, match=r"ch\.yaml: is not signed"):
        find_law("CH", keys=KEYS)


def test_an_archived_version_must_be_signed_too(folder: Path) -> None:
    previous_hash = find_law_by_code("EU", folder).pack.sha256
    archive = folder / "archive"
    archive.mkdir()
    (folder / "eu.yaml").rename(archive / "once.yaml")
    (folder / "eu.yaml").write_text(AMENDED)
    with pytest.raises(PackError, match=r"once\.yaml: is not signed"):
        find_law_version("AT", previous_hash, folder, "EU", keys=KEYS)
    (folder / "eu.yaml.sig").rename(archive / "once.yaml.sig")
    assert find_law_version("AT", previous_hash, folder, "EU", keys=KEYS).pack.sha256 == previous_hash


def test_public_keys_are_read_from_pem(tmp_path: Path) -> None:
    path = tmp_path / "keys.pem"
    path.write_bytes(public_pem(OTHER) + b"\n" + public_pem(KEY))
    sha256 = "ab" * 32
    assert [is_signature_valid(sha256, sign_pack(sha256, KEY), (key,)) for key in read_public_keys(path)] == [
        False,
        True,
    ]
    assert read_public_keys(None) == ()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no key",
        private_pem(KEY),
        generate_private_key(SECP256R1()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public_pem(KEY).replace(b"M", b"-"),
        b"\xff" * 100_000,
    ],
    ids=["empty", "text", "private", "elliptic", "damaged", "long"],
)
def test_a_file_that_is_not_a_public_key_is_an_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(data)
    with pytest.raises(
        SettingsError, match=r"SHARING_PACK_KEY names .*key\.pem, which is not an Ed25519 public key in PEM"
    ):
        read_public_keys(path)
    with pytest.raises(SettingsError, match=r"none\.pem, which cannot be read"):
        read_public_keys(tmp_path / "none.pem")


def test_private_keys_are_read_with_their_passphrases(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(private_pem(KEY))
    for passphrase in (None, b"not needed"):
        opened = read_private_key(path, passphrase)
        assert opened is not None
        assert sign_pack("ab" * 32, opened) == sign_pack("ab" * 32, KEY)
    path.write_bytes(private_pem(KEY, BestAvailableEncryption(b"open")))
    assert read_private_key(path) is None
    assert read_private_key(path, b"open") is not None
    with pytest.raises(InputError, match="not an Ed25519 private key in PEM that this passphrase opens"):
        read_private_key(path, b"wrong")
    path.write_bytes(public_pem(KEY))
    with pytest.raises(InputError, match=r"not an Ed25519 private key in PEM$"):
        read_private_key(path)
