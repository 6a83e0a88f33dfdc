"""Signed packs: what a State's law office approved is applied, and nothing else."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from sharing.errors import InputError, PackError, SettingsError
from sharing.packs.archive import find_version
from sharing.packs.library import find_law, find_pack, read_law, shipped_treaties
from sharing.packs.signature import CONTEXT, is_signed, read_private_key, read_public_keys, sign
from tests.packs.test_library import AMENDED, TEMPLATE

KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)
KEYS = (KEY.public_key(),)


def public_pem(key: Ed25519PrivateKey) -> bytes:
    """The public key, as `openssl pkey -pubout` writes it."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def private_pem(key: Ed25519PrivateKey, encryption: KeySerializationEncryption | None = None) -> bytes:
    """The private key, as `openssl genpkey` writes it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a signed template and a treaty table of its own."""
    (tmp_path / "eu.yaml").write_text(TEMPLATE)
    (tmp_path / "treaties.yaml").write_text(shipped_treaties().text)
    (tmp_path / "eu.yaml.sig").write_text(sign(find_pack("EU", tmp_path).pack.sha256, KEY))
    return tmp_path


def test_what_is_signed_is_applied(folder: Path) -> None:
    assert find_law("AT", folder, "EU", keys=KEYS).pack.state == "AT"
    both = (OTHER.public_key(), *KEYS)  # while keys change, either will do
    assert find_law("AT", folder, "EU", keys=both).pack.state == "AT"


def test_a_signature_is_on_a_message_of_its_own_kind() -> None:
    sha256 = "ab" * 32
    KEY.public_key().verify(base64.b64decode(sign(sha256, KEY)), b"sharing/law-pack/v1\x00" + b"\xab" * 32)
    assert is_signed(sha256, sign(sha256, KEY), KEYS)
    for message in (b"\xab" * 32, CONTEXT + b"\xac" * 32, b"sharing/notice/v1\x00" + b"\xab" * 32):
        assert not is_signed(sha256, base64.b64encode(KEY.sign(message)).decode(), KEYS)


@pytest.mark.parametrize("name", ["eu.yaml", "treaties.yaml"])
def test_whatever_decides_is_not_altered_after_signing(folder: Path, name: str) -> None:
    path = folder / name
    path.write_text(path.read_text() + "# one more line\n")
    with pytest.raises(PackError) as caught:
        find_law("AT", folder, "EU", keys=KEYS)
    assert str(caught.value).startswith(
        "eu.yaml: eu.yaml.sig is not the signature of the key in SHARING_PACK_KEY on this law: pack, treaty table or "
        "common rules were altered since it was signed, or another key signed. Restore what was signed, or "
    )
    assert find_law("AT", folder, "EU").pack.code == "EU"  # where no key is configured, nothing changes


def test_a_table_put_beside_it_later_is_an_alteration(folder: Path) -> None:
    (folder / "treaties.yaml").unlink()  # the same text is shipped: the same hash
    assert find_law("AT", folder, "EU", keys=KEYS).pack.state == "AT"
    (folder / "treaties.yaml").write_text(shipped_treaties().text.replace("CH: 2012-01-01", "CH: 2012-01-02"))
    with pytest.raises(PackError, match="is not the signature"):
        find_law("AT", folder, "EU", keys=KEYS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no signature\n",
        "é\n",
        base64.b64encode(b"\x00" * 64).decode(),
        sign("00" * 32, KEY),
        base64.b64encode(b"short").decode(),
    ],
)
def test_another_signature_is_none(folder: Path, text: str) -> None:
    (folder / "eu.yaml.sig").write_text(text)
    with pytest.raises(PackError, match="is not the signature of the key in SHARING_PACK_KEY"):
        find_law("AT", folder, "EU", keys=KEYS)


def test_another_signer_is_none(folder: Path) -> None:
    with pytest.raises(PackError, match="or another key signed"):
        find_law("AT", folder, "EU", keys=(OTHER.public_key(),))


def test_without_a_signature_the_error_says_what_to_do(folder: Path) -> None:
    (folder / "eu.yaml.sig").unlink()
    expected = (
        "eu.yaml: is not signed, and SHARING_PACK_KEY asks for a signature (eu.yaml.sig); let the State's law office "
        "read it and run `sharing law sign eu.yaml --key KEY.pem`"
    )
    with pytest.raises(PackError) as caught:
        read_law(folder / "eu.yaml", keys=KEYS)
    assert str(caught.value) == expected
    with pytest.raises(PackError, match=r"ch\.yaml: is not signed"):
        find_law("CH", keys=KEYS)


def test_what_is_replayed_is_signed_too(folder: Path) -> None:
    before = find_pack("EU", folder).pack.sha256
    archive = folder / "archive"
    archive.mkdir()
    (folder / "eu.yaml").rename(archive / "once.yaml")
    (folder / "eu.yaml").write_text(AMENDED)
    with pytest.raises(PackError, match=r"once\.yaml: is not signed"):
        find_version("AT", before, folder, "EU", keys=KEYS)
    (folder / "eu.yaml.sig").rename(archive / "once.yaml.sig")
    assert find_version("AT", before, folder, "EU", keys=KEYS).pack.sha256 == before


def test_keys_are_read_from_pem(tmp_path: Path) -> None:
    path = tmp_path / "keys.pem"
    path.write_bytes(public_pem(OTHER) + b"\n" + public_pem(KEY))
    sha256 = "ab" * 32
    assert [is_signed(sha256, sign(sha256, KEY), (key,)) for key in read_public_keys(path)] == [False, True]
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
def test_what_is_no_public_key_is_an_error_and_never_no_key(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(data)
    with pytest.raises(
        SettingsError, match=r"SHARING_PACK_KEY names .*key\.pem, which is no Ed25519 public key in PEM"
    ):
        read_public_keys(path)
    with pytest.raises(SettingsError, match=r"none\.pem, which cannot be read"):
        read_public_keys(tmp_path / "none.pem")


def test_private_keys_and_their_passphrases(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(private_pem(KEY))
    for passphrase in (None, b"not needed"):
        opened = read_private_key(path, passphrase)
        assert opened is not None
        assert sign("ab" * 32, opened) == sign("ab" * 32, KEY)
    path.write_bytes(private_pem(KEY, BestAvailableEncryption(b"open")))
    assert read_private_key(path) is None
    assert read_private_key(path, b"open") is not None
    with pytest.raises(InputError, match="no Ed25519 private key in PEM that this passphrase opens"):
        read_private_key(path, b"wrong")
    path.write_bytes(public_pem(KEY))
    with pytest.raises(InputError, match=r"no Ed25519 private key in PEM$"):
        read_private_key(path)
