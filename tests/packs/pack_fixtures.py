"""A template pack, its cases, a directory and signing keys that several tests share."""

from __future__ import annotations

import datetime as dt
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from sharing.model.directory import Directory, DirectoryEntry
from sharing.model.times import to_milliseconds

TEMPLATE = """\
state: EU
version: 2026.1
title: Law that member States share
disclaimer: None of this is law.
consolidated_at: 2026-01-01
maintainers: []
treaty_preference: [BUDAPEST]
assessments:
  - {states: [AT, DE, FR], date: 2026-01-01, source: invented,
     facts: {mistreatment_risk: false, persecution_risk: false}}
rules:
  - {id: eu.permit, citation: art. 1, paraphrase: p, source: K, verified: false, valid: {from: 2020-01-01},
     nature: statute, when: {form: INFORMATION, recipient.eu: true}, effect: PERMIT}
  - {id: eu.oblige, citation: art. 2, paraphrase: p, source: K, verified: false, valid: {from: 2020-01-01},
     nature: statute, when: {recipient.state: [AT, DE, FR], offence.codes: LAUNDERING}, effect: OBLIGE}
"""

CASES = """\
base:
  providing: AT
  indicator: {type: domain-name, value: a.example, source: {state: AT, agency: A, authority: POLICE},
    form: INFORMATION, offence: {codes: [LAUNDERING]}, enables_request: true, live_case_harm: false, character: [],
    nexus: [{state: DE, reason: r}]}
  recipient: DE
  authority: POLICE
  at: 2026-03-01T12:00:00Z
cases:
  - {name: To a member State, rule: eu.permit, kind: decides,
     expect: {outcome: DISCLOSE, basis: BUDAPEST, obligation: true}}
  - {name: To another, rule: eu.permit, kind: outside, recipient: CH,
     expect: {outcome: WITHHOLD, basis: BUDAPEST}}
"""

DIRECTORY = Directory(
    {
        "DE": DirectoryEntry.parse(
            {"state": "DE", "announced_at": "2026-01-01T00:00:00Z", "authorities": [{"name": "n", "kind": "POLICE"}]}
        )
    }
)
NOW_MS = to_milliseconds(dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC))
ITEM: dict[str, Any] = {
    "id": "00000000-0000-4000-8000-000000000000",
    "type": "domain-name",
    "value": "a.example",
    "source": {"state": "AT", "agency": "A", "authority": "POLICE"},
    "form": "INFORMATION",
    "offence": {"codes": ["LAUNDERING"]},
    "enables_request": True,
    "live_case_harm": False,
    "character": [],
}

AMENDED = (
    TEMPLATE.replace("version: 2026.1", "version: 2026.2")
    .replace("consolidated_at: 2026-01-01", "consolidated_at: 2026-02-01")
    .replace("recipient.eu: true", "recipient.eu: true, personal_data: false")
)

KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)
KEYS = (KEY.public_key(),)


def public_pem(key: Ed25519PrivateKey) -> bytes:
    """The public key, as `openssl pkey -pubout` writes it."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def private_pem(key: Ed25519PrivateKey, encryption: KeySerializationEncryption | None = None) -> bytes:
    """The private key, as `openssl genpkey` writes it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
