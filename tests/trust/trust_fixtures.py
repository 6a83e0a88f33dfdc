"""Keys, roots and key statements for tests, made without randomness."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from pydantic import SecretBytes

from sharing.trust.canonical import encode_canonical
from sharing.trust.ceremonies import issue_keys, make_first_root
from sharing.trust.documents import build_signed_message, sign_document
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_pairs import derive_public_key
from sharing.trust.key_statement import KeyStatement, TrustedKeys, accept_key_statement
from sharing.trust.public_keys import KeyAlgorithm, KeyRole, PublishedKey
from sharing.trust.root import RootMetadata, TrustedRoot, fingerprint_of
from sharing.trust.signatures import MemorySigningKey, ObjectKind

EXAMPLES = int(os.environ.get("SHARING_EXAMPLES", "30"))
NOW = 1_800_000_000_000
DAY = 86_400_000
TOLERANCE = 300_000


def make_seed(name: str, length: int = 32) -> SecretBytes:
    return SecretBytes(hashlib.shake_256(name.encode()).digest(length))


def make_signer(name: str) -> MemorySigningKey:
    return MemorySigningKey(make_seed(name))


def make_public(name: str, algorithm: KeyAlgorithm = KeyAlgorithm.ED25519) -> PublishedKey:
    return derive_public_key(algorithm, make_seed(name, 96 if algorithm is KeyAlgorithm.MLKEM768_X25519 else 32))


ROOT_KEYS = tuple(make_signer(f"root {number}") for number in range(3))


def make_root(
    *, state: str = "CH", signers: Iterable[MemorySigningKey] = ROOT_KEYS, now: int = NOW, **options: Any
) -> tuple[TrustedRoot, bytes]:
    """Return a first root, two of three, and its document."""
    fields = {"threshold": 2, "days": 365, "online_days_max": 30, **options}
    metadata = make_first_root(state, [key.public_key for key in ROOT_KEYS], now=now, **fields)
    document = sign_document(ObjectKind.ROOT, state, metadata, signers)
    return TrustedRoot(metadata, fingerprint_of(document, metadata)), document.to_bytes()


def sign_root(metadata: RootMetadata, signers: Iterable[MemorySigningKey]) -> bytes:
    return sign_document(ObjectKind.ROOT, metadata.state, metadata, signers).to_bytes()


def sign_statement(statement: KeyStatement, signers: Iterable[MemorySigningKey] = ROOT_KEYS) -> bytes:
    return sign_document(ObjectKind.KEYS, statement.state, statement, signers).to_bytes()


def make_keys(root: TrustedRoot, *, now: int = NOW, days: int = 30, prefix: str = "") -> tuple[TrustedKeys, bytes]:
    """Return the online keys `<role> 1`, each with the successor `<role> 2`, and their statement."""
    named = {role: (make_online(role, 1, prefix), make_online(role, 2, prefix).key_id) for role in KeyRole}
    data = sign_statement(issue_keys(root, None, named, days=days, now=now))
    return accept_key_statement(root, data, now=now), data


def make_online(role: KeyRole, number: int, prefix: str = "") -> PublishedKey:
    algorithm = KeyAlgorithm.X25519 if role is KeyRole.SEAL else KeyAlgorithm.ED25519
    return make_public(f"{prefix}{role} {number}", algorithm)


def resign(data: bytes, change: Callable[[dict[str, Any]], object], state: str = "CH") -> bytes:
    """Return a document after a change of its content, signed again by all root keys: what a root holder could do."""
    signed = json.loads(data)["signed"]
    change(signed)
    message = build_signed_message(ObjectKind(json.loads(data)["signed"]["kind"]), state, encode_canonical(signed))
    signatures = [
        {"key": key.public_key.key_id, "signature": key.sign(message).hex()}
        for key in sorted(ROOT_KEYS, key=lambda key: key.public_key.key_id)
    ]
    return encode_canonical({"signatures": signatures, "signed": signed})


def find_fault(function: Callable[[], object]) -> TrustFault | None:
    """Return why something is refused, or None if it is not."""
    try:
        function()
    except TrustError as error:
        return error.fault
    return None


def expect_fault(fault: TrustFault, function: Callable[[], object]) -> str:
    """Expect a refusal with this fault; return the message."""
    with pytest.raises(TrustError) as caught:
        function()
    assert caught.value.fault is fault, caught.value
    assert caught.value.exit_code == 1
    return str(caught.value)
