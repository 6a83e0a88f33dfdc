"""JSON read strictly: what RFC 8259 leaves to the reader's luck is a fault here, and never a guess.

A key that stands twice, NaN and Infinity, integers beyond 64 bits, numbers that overflow and lone surrogates each
mean something else to the next program, or nothing. They are noted beside the value, so that a caller can still
see what kind of document it is before it refuses it.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any, NamedTuple

from sharing.errors import InputError

_INTEGER_MAX = 2**63 - 1
_INTEGER_DIGITS_MAX = 20  # with a sign; longer ones are not even converted
_SHOWN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_|-]{0,40}")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


class NotJsonError(InputError):
    """The text is not one JSON document, or nests too deep to be read.

    Attributes:
        line: Line of the text (from 1) at which reading stopped, or 0 when unknown.
    """

    def __init__(self, message: str, *, line: int = 0) -> None:
        super().__init__(message, place=str(line) if line else "")
        self.line = line


class Parsed(NamedTuple):
    """A JSON value, and the first fault found in it ("" when there is none)."""

    value: Any
    fault: str


class StrictParser:
    """Parses one text after another. Not for several threads at once."""

    def __init__(self) -> None:
        self._fault = ""
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_int=self._integer,
            parse_float=self._number,
            parse_constant=self._constant,
        )

    def parse(self, text: str) -> Parsed:
        """Return the one JSON value that a text holds.

        Raises:
            NotJsonError: It is not JSON, holds more than one value, or nests too deep.
        """
        self._fault = ""
        try:
            value = self._decoder.decode(text)
            if _SURROGATE_ESCAPE.search(text) and not _encodable(value):
                self._note("holds half of a surrogate pair, which is no character")
        except RecursionError:
            raise NotJsonError("nests too deep to be read") from None
        except json.JSONDecodeError as error:
            where = f"line {error.lineno}, column {error.colno}"
            raise NotJsonError(f"is not valid JSON ({error.msg}, {where})", line=error.lineno) from None
        return Parsed(value, self._fault)

    def _note(self, fault: str) -> None:
        self._fault = self._fault or fault

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            counts = Counter(key for key, _ in pairs)
            twice = counts.most_common(1)[0][0]
            # A key is not a value, but it may hold anything: only a plain name is repeated.
            self._note(f"holds the key {twice!r} twice" if _SHOWN_KEY.fullmatch(twice) else "holds a key twice")
        return found

    def _integer(self, digits: str) -> int:
        number = int(digits) if len(digits) <= _INTEGER_DIGITS_MAX else _INTEGER_MAX + 1
        if abs(number) > _INTEGER_MAX:
            self._note("holds an integer of more than 64 bits")
            return 0
        return number

    def _number(self, digits: str) -> float:
        number = float(digits)
        if math.isinf(number):
            self._note("holds a number that is too large")
            return 0.0
        return number

    def _constant(self, name: str) -> None:
        self._note(f"holds {name}, which is not JSON")


def _encodable(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
