"""Text processing shared by all indicator types: cleaning, refanging, removing separators, splitting off a country."""

from __future__ import annotations

import re
import unicodedata

from sharing.model.countries import COUNTRIES, COUNTRY_ALIASES
from sharing.sentences import say

_INVISIBLE = "\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffe\uffff\ud800-\udfff"
FORBIDDEN_IN_LINE = f"\x00-\x1f\x7f-\x9f{_INVISIBLE}"
"""Characters that must not occur in a single-line value, for use inside a regular expression's character class."""

_FORBIDDEN_IN_MULTILINE = rf"\x00-\x08\x0b-\x1f\x7f-\x9f{_INVISIBLE}"
_FORBIDDEN_IN_LINE_PATTERN = re.compile(f"[{FORBIDDEN_IN_LINE}]")
_FORBIDDEN_IN_MULTILINE_PATTERN = re.compile(f"[{_FORBIDDEN_IN_MULTILINE}]")

LINE_CHARACTER = f"[^{FORBIDDEN_IN_LINE}]"
"""Regular expression for a character of a single-line value."""

MULTILINE_CHARACTER = f"[^{_FORBIDDEN_IN_MULTILINE}]"
"""Regular expression for a character of a multi-line value."""

_DEFANGED_DOT = re.compile(r"\[(?:\.|dot)\]|\((?:\.|dot)\)|\{(?:\.|dot)\}", re.IGNORECASE)
_DEFANGED_AT = re.compile(r"\[(?:@|at)\]|\((?:@|at)\)|\{(?:@|at)\}", re.IGNORECASE)
_SEPARATORS = str.maketrans("", "", " -./")
_HEX_SEPARATORS = str.maketrans("", "", " :\n\t")
_BRACKETS = re.compile(r"[\[({]")


class InvalidValueError(ValueError):
    """A value is not valid for its type. The message does not contain any part of the value, so it may be shown."""


def clean_text(value: str, *, ascii_only: bool, max_bytes: int, multiline: bool) -> str:
    """Return the value without surrounding white space, in Unicode NFC, with LF as line ending.

    Raises:
        InvalidValueError: The value is empty, too long, not ASCII although required, or contains a control or invisible
            character or a lone surrogate.
    """
    text = value.strip()
    if not text:
        raise InvalidValueError(say("must not be empty"))
    if len(text) > max_bytes:  # checked first, before any step whose cost grows with the length
        raise InvalidValueError(say("must not be longer than %(count)s bytes", count=max_bytes))
    if multiline:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    forbidden = _FORBIDDEN_IN_MULTILINE_PATTERN if multiline else _FORBIDDEN_IN_LINE_PATTERN
    if forbidden.search(text):
        raise InvalidValueError(say("must not contain control or invisible characters"))
    if not text.isascii():
        if ascii_only:
            raise InvalidValueError(say("must contain ASCII characters only"))
        text = unicodedata.normalize("NFC", text)
        if len(text.encode()) > max_bytes:
            raise InvalidValueError(say("must not be longer than %(count)s bytes", count=max_bytes))
    return text


def refang_dots(text: str) -> str:
    """Return the text with `[.]`, `(.)`, `{.}` and `[dot]` as dots, and `[:]` as a colon."""
    if not _BRACKETS.search(text):
        return text
    return _DEFANGED_DOT.sub(".", text).replace("[:]", ":")


def refang_at(text: str) -> str:
    """Return the text with `[@]` as @, and `[at]`, `(at)` and `{at}` as @ too unless the text already has an @."""
    text = text.replace("[@]", "@")
    return text if "@" in text else _DEFANGED_AT.sub("@", text)


def strip_separators(text: str) -> str:
    """Return the text without the separators commonly used in numbers: space, hyphen, dot, slash."""
    return text.translate(_SEPARATORS)


def strip_hex_separators(text: str) -> str:
    """Return the text without the separators commonly used in hexadecimal digits: white space, colon."""
    return text.translate(_HEX_SEPARATORS)


def collapse_whitespace(text: str) -> str:
    """Return the text with each run of white space replaced by one space."""
    return " ".join(text.split())


def lower_nfc(text: str) -> str:
    """Return the text in lower case and in NFC, since lower-case letters may compose where upper-case ones do not."""
    return unicodedata.normalize("NFC", text.lower())


def upper_nfc(text: str) -> str:
    """Return the text in upper case and in NFC."""
    return unicodedata.normalize("NFC", text.upper())


def require_match(shape: re.Pattern[str], text: str) -> str:
    """Return the text if the whole of it matches the pattern.

    Raises:
        InvalidValueError: The text does not match.
    """
    if shape.fullmatch(text) is None:
        raise InvalidValueError(say("wrong format"))
    return text


def split_country_code(text: str) -> tuple[str, str]:
    """Split `CC:value` into an ISO 3166-1 alpha-2 country code and the value (UK is read as GB, EL as GR).

    Raises:
        InvalidValueError: The text does not start with the code of a country and a colon.
    """
    code, colon, value = text.partition(":")
    code = code.strip()
    if not colon or not code.isascii():
        raise InvalidValueError(say("must start with a country code and a colon"))
    country = COUNTRY_ALIASES.get(code.upper(), code.upper())
    if country not in COUNTRIES:
        raise InvalidValueError(say("the code before the colon must be an ISO 3166-1 country code"))
    return country, value
