"""Hashes of abuse material. The material itself is never shared.

No indicator type carries images, videos or texts of abuse. This also applies to `artifact`, which holds the bytes of a
program or document. Software cannot check that from the bytes, so the publishing agency is responsible for it.
"""

from __future__ import annotations

import base64
import binascii
import re

from sharing.model.values.text import InvalidValueError, require_match, strip_hex_separators
from sharing.model.values.value_type import ValueType, ValueTypeGroup
from sharing.sentences import say

_PHOTODNA_BYTES = 144
_PHOTODNA = re.compile(r"[A-Za-z0-9+/]{192}")
_PDQ = re.compile(r"[0-9a-f]{64}")


def _normalise_photodna(text: str) -> str:
    digits = strip_hex_separators(text)
    # 144 bytes are 192 characters of base64 or 288 hexadecimal digits, so the length identifies the encoding.
    raw = binascii.unhexlify(digits) if len(digits) == 2 * _PHOTODNA_BYTES else base64.b64decode(digits, validate=True)
    if len(raw) != _PHOTODNA_BYTES:
        raise InvalidValueError(say("must be 144 bytes"))
    return base64.b64encode(raw).decode()


CONTENT_TYPES = (
    ValueType(
        "photodna-hash",
        ValueTypeGroup.CONTENT,
        "the 144 bytes of a PhotoDNA hash in base64 or hexadecimal; never the content",
        base64.b64encode(bytes(range(_PHOTODNA_BYTES))).decode(),
        _PHOTODNA,
        _normalise_photodna,
        multiline=True,
    ),
    ValueType(
        "pdq-hash",
        ValueTypeGroup.CONTENT,
        "a PDQ hash of 64 hexadecimal digits; never the content",
        "f8f8f0cce0f4e84d0e370a22028f67f0b36e2ed596623e1d33e6b39c4e9c9b22",
        _PDQ,
        lambda text: require_match(_PDQ, text.lower()),
    ),
)
