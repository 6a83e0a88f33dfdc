"""Canonical JSON: the only accepted byte form of a signed document.

It is RFC 8785 (JSON Canonicalization Scheme), restricted to what documents need: objects with ASCII keys, lists, text,
integers of at most 53 bits, `true`, `false` and `null`. There are no fractions, whose text form differs between
languages. With these restrictions, sorting keys by code point is the order that the RFC requires.

A reader refuses bytes that are not in this form. So a document has one digest, and nobody can alter its bytes without
breaking its signatures.
"""

from __future__ import annotations

import json
from typing import Any, Final

from sharing.trust.faults import TrustError, TrustFault

DOCUMENT_BYTES_MAX: Final = 250_000
"""Size limit of a signed document: what fits in a record of an exchange topic."""

_INTEGER_MAX: Final = 2**53 - 1
_DEPTH_MAX: Final = 16


def encode_canonical(value: Any) -> bytes:
    """Return the canonical form of a document.

    Raises:
        ValueError: The document contains something that has no canonical form.
    """
    _check_value(value, 0)
    return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode()


def decode_canonical(data: bytes, *, bytes_max: int = DOCUMENT_BYTES_MAX) -> Any:
    """Return the document that has this canonical form. One line break at the end is accepted, as in files.

    Args:
        data: The canonical form.
        bytes_max: How long it may be.

    Raises:
        TrustError: The bytes are not JSON, not in canonical form, or too long.
    """
    if len(data) > bytes_max:
        raise TrustError(TrustFault.MALFORMED, f"is longer than {bytes_max:,} bytes")
    data = data.removesuffix(b"\n")
    try:
        value = json.loads(data.decode("utf-8"))
        canonical = encode_canonical(value)
    except (ValueError, RecursionError):  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise TrustError(TrustFault.MALFORMED, "is not JSON in the form that is signed") from None
    if canonical != data:
        raise TrustError(
            TrustFault.MALFORMED, "is JSON, but not in canonical form: it was altered after signing; get the original"
        )
    return value


def _check_value(value: Any, depth: int) -> None:
    if depth > _DEPTH_MAX:
        raise ValueError("is nested too deeply")
    match value:
        case None | bool() | str():
            return
        case int():
            if abs(value) > _INTEGER_MAX:
                raise ValueError("an integer has more than 53 bits")
        case list() | tuple():
            for item in value:
                _check_value(item, depth + 1)
        case dict():
            for key, item in value.items():
                if not isinstance(key, str) or not key.isascii():
                    raise ValueError("a key is not ASCII text")
                _check_value(item, depth + 1)
        case _:
            raise ValueError(f"{type(value).__name__} has no canonical form")
