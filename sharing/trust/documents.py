"""A signed document: its content in canonical form, and signatures by root keys.

On disk and on the wire it is the canonical JSON `{"signatures":[{"key":…,"signature":…},…],"signed":{…}}`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, ValidationError

from sharing.errors import InputError
from sharing.model.countries import STATES
from sharing.model.strict_model import StrictModel
from sharing.model.times import format_time, to_milliseconds
from sharing.model.validation_errors import describe_error
from sharing.trust.canonical import DOCUMENT_BYTES_MAX, decode_canonical, encode_canonical
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.public_keys import KeyId, PublishedKey
from sharing.trust.signatures import ObjectKind, SigningKey, build_message, is_signature_by

SIGNATURES_MAX = 64
"""Limits what a document with many signatures can cost a reader."""

PUBLISHED_BYTES_MAX = 110_000
"""Size limit of a root and of a key statement: what a record of the directory topic may hold, with headers."""

INSTANT_MIN, INSTANT_MAX = 946_684_800_000, 4_102_444_799_999
"""The years 2000 to 2099, in UTC milliseconds."""

CLOCK_TOLERANCE_MS = 5 * 60_000
"""How far two clocks may differ: the reader's own clock decides on expiry, with this tolerance."""

_NAME_MAX = 40
_INSTANT = re.compile(r"20\d{2}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z", re.ASCII)


class Signature(StrictModel):
    """One signature.

    Attributes:
        key: Id of the key that made it.
        signature: The signature, in hexadecimal digits.
    """

    key: KeyId
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]


class _Envelope(StrictModel):
    signatures: Annotated[tuple[Signature, ...], Field(max_length=SIGNATURES_MAX)]
    signed: dict[str, Any]


def _parse_instant(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if not _INSTANT.fullmatch(value):
        raise ValueError("is not an instant such as 2026-03-01T12:00:00.000Z")
    return to_milliseconds(datetime.fromisoformat(value))


Instant = Annotated[
    int,
    Field(ge=INSTANT_MIN, le=INSTANT_MAX),
    BeforeValidator(_parse_instant),
    PlainSerializer(format_time, return_type=str),
]
"""An instant in UTC milliseconds; in the document, RFC 3339 text with milliseconds, such as 2026-03-01T12:00:00.000Z"""


def _check_state(value: str) -> str:
    if value not in STATES:
        raise ValueError("is not the code of a State")
    return value


StateCode = Annotated[str, AfterValidator(_check_state)]
Content = TypeVar("Content", bound=StrictModel)


@dataclass(frozen=True, slots=True)
class SignedDocument:
    """A document as it was read. Nothing in it may be trusted before its signatures are verified.

    Attributes:
        kind: Kind of the object.
        payload: Its content in canonical form.
        signatures: Signatures, at most one by each key.
    """

    kind: ObjectKind
    payload: bytes
    signatures: tuple[Signature, ...]

    def to_bytes(self) -> bytes:
        """Return the document's canonical form."""
        signatures = [{"key": item.key, "signature": item.signature} for item in self.signatures]
        return encode_canonical({"signatures": signatures, "signed": decode_canonical(self.payload)})

    def find_signers(self, state: str, keys: Iterable[PublishedKey]) -> frozenset[KeyId]:
        """Return the ids of those keys that have signed this document for this State."""
        message = build_signed_message(self.kind, state, self.payload)
        by_key = {item.key: bytes.fromhex(item.signature) for item in self.signatures}
        return frozenset(
            key.key_id
            for key in keys
            if key.key_id in by_key and is_signature_by(key, by_key[key.key_id], message)
        )  # fmt: skip


def build_signed_message(kind: ObjectKind, state: str, payload: bytes) -> bytes:
    """Return the bytes of a document that are signed; for a key statement, its folded form.

    Args:
        kind: Kind of the document.
        state: Code of the State that signs.
        payload: Its content in canonical form.
    """
    return build_message(kind, state, fold_keys(payload) if kind is ObjectKind.KEYS else payload)


def fold_keys(payload: bytes) -> bytes:
    """Return the form of a key statement that is signed: with SHA-256 values in place of its keys.

    Each gate key has its own value, and its place in the list; all other keys together have one value. So a single gate
    key can be shown to be signed without the others (`folded_statement`). What is already folded stays as it is.
    """
    content = decode_canonical(payload)
    keys = content.pop("keys", None)
    if not isinstance(keys, list):
        return payload
    gates = [(place, key) for place, key in enumerate(keys) if _is_gate_key(key)]
    content["gate_keys"] = [hash_canonical(key) for _, key in gates]
    content["gate_places"] = [place for place, _ in gates]
    content["other_keys"] = hash_canonical([key for key in keys if not _is_gate_key(key)])
    return encode_canonical(content)


def _is_gate_key(key: Any) -> bool:
    return isinstance(key, dict) and key.get("role") == "gate"


def hash_canonical(value: Any) -> str:
    """Return the SHA-256 of the canonical form of a value, in hexadecimal digits."""
    return hashlib.sha256(encode_canonical(value)).hexdigest()


def compute_digest(kind: ObjectKind, state: str, payload: bytes) -> str:
    """Return the SHA-256 of what is signed, in hexadecimal digits. For a root, this is the fingerprint.

    It covers the content but not the signatures: another copy may have more of them.
    """
    return hashlib.sha256(build_message(kind, state, payload)).hexdigest()


def read_document(data: bytes, kind: ObjectKind, model: type[Content]) -> tuple[SignedDocument, Content]:
    """Return a document and its content, neither of which is verified.

    Args:
        data: The document's canonical form.
        kind: The kind that it must have.
        model: The model of its content.

    Raises:
        TrustError: It is malformed, is of a different kind, or names an unknown role or algorithm.
    """
    decode_canonical(data, bytes_max=_get_bytes_max(kind))
    try:
        envelope = _Envelope.model_validate_json(data)
        if envelope.signed.get("kind") != kind:
            raise TrustError(TrustFault.WRONG_KIND, f"is not a signed object of the kind {kind!s}")
        payload = encode_canonical(envelope.signed)
        content = model.model_validate_json(payload)
    except ValidationError as error:
        raise _make_error(error, model) from None
    if encode_canonical(content.model_dump(mode="json")) != payload:
        raise TrustError(TrustFault.MALFORMED, "has a value that is not in canonical form")
    if len({item.key for item in envelope.signatures}) < len(envelope.signatures):
        raise TrustError(TrustFault.MALFORMED, "has two signatures by the same key")
    return SignedDocument(kind, payload, envelope.signatures), content


def make_content(model: type[Content], fields: Mapping[str, Any]) -> Content:
    """Return the content of a document to sign, which readers accept as well-formed.

    Raises:
        InputError: It would not be.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        _, sentence = describe_error(first, model)
        raise InputError(f"{place}: {sentence}" if place else sentence) from None


def peek_kind(data: bytes) -> str:
    """Return the kind that a document claims to be of; empty if it claims none.

    Raises:
        TrustError: It is not in canonical form.
    """
    value = decode_canonical(data)
    signed = value.get("signed") if isinstance(value, dict) else None
    kind = signed.get("kind") if isinstance(signed, dict) else None
    return kind if isinstance(kind, str) else ""


def sign_document(kind: ObjectKind, state: str, content: StrictModel, signers: Iterable[SigningKey]) -> SignedDocument:
    """Return a document with the signatures of these keys.

    Raises:
        InputError: It would be too long to be read.
    """
    payload = encode_canonical(content.model_dump(mode="json"))
    document, bytes_max = SignedDocument(kind, payload, ()), _get_bytes_max(kind)
    for signer in signers:
        document = add_signature(document, state, signer)
    if len(payload) > bytes_max or len(document.to_bytes()) > bytes_max:
        raise InputError(f"the {kind} of {state} would be longer than {bytes_max:,} bytes; name fewer keys")
    return document


def add_signature(document: SignedDocument, state: str, signer: SigningKey) -> SignedDocument:
    """Return a document of a State with one more signature; one by the same key is replaced."""
    key = signer.public_key.key_id
    made = Signature(key=key, signature=signer.sign(build_signed_message(document.kind, state, document.payload)).hex())
    others = [each for each in document.signatures if each.key != key]
    return replace(document, signatures=tuple(sorted([*others, made], key=lambda each: each.key)))


def check_period(what: str, valid_from: int, valid_until: int, now: int) -> None:
    """Refuse what is not valid at this instant, by the reader's clock and with its tolerance.

    Raises:
        TrustError: It is not valid yet, or has expired.
    """
    if now < valid_from - CLOCK_TOLERANCE_MS:
        raise TrustError(
            TrustFault.NOT_YET_VALID, f"{what} is valid only from {format_time(valid_from)}; check the clock"
        )
    if now > valid_until + CLOCK_TOLERANCE_MS:
        raise TrustError(TrustFault.EXPIRED, f"{what} has expired at {format_time(valid_until)}")


def _get_bytes_max(kind: ObjectKind) -> int:
    return PUBLISHED_BYTES_MAX if kind in {ObjectKind.ROOT, ObjectKind.KEYS} else DOCUMENT_BYTES_MAX


def _make_error(error: ValidationError, model: type[StrictModel]) -> TrustError:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(_show_part, first["loc"]))
    match first["loc"][-1:], first["type"]:
        case ("algorithm",), "enum":
            return TrustError(TrustFault.UNKNOWN_ALGORITHM, f"{place}: names an algorithm that is not known")
        case ("role",), "enum":
            return TrustError(TrustFault.UNKNOWN_ROLE, f"{place}: names a role that is not known")
    _, sentence = describe_error(first, model)
    return TrustError(TrustFault.MALFORMED, f"{place}: {sentence}" if place else sentence)


def _show_part(part: str | int) -> str:
    """Return the name of a field for a message. The name of an unknown field is the sender's text, of any length."""
    text = str(part)
    return text if len(text) <= _NAME_MAX and text.replace("_", "").isalnum() else "?"
