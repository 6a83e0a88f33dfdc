"""What all values have in common as text: tidying, refanging, separators."""

from __future__ import annotations

import re
import unicodedata

_INVISIBLE = "\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffe\uffff\ud800-\udfff"
NOT_IN_A_LINE = f"\x00-\x1f\x7f-\x9f{_INVISIBLE}"
"""What may not stand in a value of one line: the inside of a character class of a regular expression."""

_NOT_IN_LINES = rf"\x00-\x08\x0b-\x1f\x7f-\x9f{_INVISIBLE}"
_FORBIDDEN_IN_A_LINE = re.compile(f"[{NOT_IN_A_LINE}]")
_FORBIDDEN_IN_LINES = re.compile(f"[{_NOT_IN_LINES}]")

LINE = f"[^{NOT_IN_A_LINE}]"
"""Regular expression for a character that may stand in a value of one line."""

LINES = f"[^{_NOT_IN_LINES}]"
"""Regular expression for a character that may stand in a value of several lines."""

_DEFANGED_DOT = re.compile(r"\[(?:\.|dot)\]|\((?:\.|dot)\)|\{(?:\.|dot)\}", re.IGNORECASE)
_DEFANGED_AT = re.compile(r"\[(?:@|at)\]|\((?:@|at)\)|\{(?:@|at)\}", re.IGNORECASE)
_SEPARATORS = str.maketrans("", "", " -./")
_HEX_SEPARATORS = str.maketrans("", "", " :\n\t")
_BRACKETS = re.compile(r"[\[({]")


class Refused(ValueError):  # noqa: N818  a value that a rule refuses is an outcome, and never leaves this package
    """A rule refuses a value. The reason names no part of the value, so it may be shown."""


def tidy(value: str, *, ascii_only: bool, max_bytes: int, multiline: bool) -> str:
    """Return the value without white space around it, in Unicode NFC, with LF as line end.

    Raises:
        Refused: It is empty, too long, not ASCII where it must be, or holds a control or invisible character,
            a lone surrogate included.
    """
    text = value.strip()
    if not text:
        raise Refused("it is empty")
    if len(text) > max_bytes:  # cheap, and before anything that costs time in proportion
        raise Refused(f"it is longer than {max_bytes} bytes")
    if multiline:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    forbidden = _FORBIDDEN_IN_LINES if multiline else _FORBIDDEN_IN_A_LINE
    if forbidden.search(text):
        raise Refused("it contains a control or invisible character")
    if not text.isascii():
        if ascii_only:
            raise Refused("it contains a character outside ASCII")
        text = unicodedata.normalize("NFC", text)
        if len(text.encode()) > max_bytes:
            raise Refused(f"it is longer than {max_bytes} bytes")
    return text


def refang_dots(text: str) -> str:
    """Return the text with `[.]`, `(.)`, `{.}` and `[dot]` as dots, and `[:]` as a colon."""
    if not _BRACKETS.search(text):
        return text
    return _DEFANGED_DOT.sub(".", text).replace("[:]", ":")


def refang_at(text: str) -> str:
    """Return the text with `[@]` as @, and `[at]`, `(at)` and `{at}` too, unless it has an @ already."""
    text = text.replace("[@]", "@")
    return text if "@" in text else _DEFANGED_AT.sub("@", text)


def squeeze(text: str) -> str:
    """Return the text without the separators that people write into numbers: space, hyphen, dot, slash."""
    return text.translate(_SEPARATORS)


def squeeze_hex(text: str) -> str:
    """Return the text without the separators that are written into hexadecimal digits: white space, colon."""
    return text.translate(_HEX_SEPARATORS)


def collapse(text: str) -> str:
    """Return the text with every run of white space as one space."""
    return " ".join(text.split())


def lower(text: str) -> str:
    """Return the text in lower case and in NFC: what does not compose in upper case may do so in lower."""
    return unicodedata.normalize("NFC", text.lower())


def upper(text: str) -> str:
    """Return the text in upper case and in NFC."""
    return unicodedata.normalize("NFC", text.upper())


def require(shape: re.Pattern[str], text: str) -> str:
    """Return the text if it has the shape.

    Raises:
        Refused: It has not.
    """
    if shape.fullmatch(text) is None:
        raise Refused("it does not have the form")
    return text
