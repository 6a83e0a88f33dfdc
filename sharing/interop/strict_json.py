"""Strict JSON parsing: input that RFC 8259 lets each reader interpret differently is a fault.

A repeated key, NaN and Infinity, an integer beyond 64 bits, a number that overflows and a lone surrogate are read
differently by different programs, or not at all. The parser reports a fault next to the value, so that a caller can
still recognise the kind of document before it refuses it.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any, NamedTuple

from sharing.errors import InputError

_INTEGER_MAX = 2**63 - 1
_INTEGER_DIGITS_MAX = 20  # with a sign; longer integers are not even converted
_PRINTABLE_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_|-]{0,40}")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


class NotJsonError(InputError):
    """The text is not one JSON document, or is nested too deeply to be read.

    Attributes:
        line: Line of the text (from 1) at which parsing stopped, or 0 when unknown.
    """

    def __init__(self, message: str, *, line: int = 0) -> None:
        super().__init__(message, location=str(line) if line else "")
        self.line = line


class ParsedJson(NamedTuple):
    """A JSON value, and the first fault found in it ("" for none)."""

    value: Any
    fault: str


class StrictJsonParser:
    """Parses one text after another. Not thread-safe."""

    def __init__(self) -> None:
        self._fault = ""
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._build_object,
            parse_int=self._parse_integer,
            parse_float=self._parse_float,
            parse_constant=self._reject_constant,
        )

    def parse(self, text: str) -> ParsedJson:
        """Return the JSON value in a text.

        Raises:
            NotJsonError: The text is not JSON, contains more than one value, or is nested too deeply.
        """
        self._fault = ""
        try:
            value = self._decoder.decode(text)
            if _SURROGATE_ESCAPE.search(text) and not _is_encodable(value):
                self._record_fault("contains a lone surrogate, which is not a character")
        except RecursionError:
            raise NotJsonError("is nested too deeply to be read") from None
        except json.JSONDecodeError as error:
            where = f"line {error.lineno}, column {error.colno}"
            raise NotJsonError(f"is not valid JSON ({error.msg}, {where})", line=error.lineno) from None
        return ParsedJson(value, self._fault)

    def _record_fault(self, fault: str) -> None:
        self._fault = self._fault or fault

    def _build_object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        if len(fields) != len(pairs):
            counts = Counter(key for key, _ in pairs)
            repeated = counts.most_common(1)[0][0]
            # A key is not a value, but it may contain anything: only a plain name is shown.
            shown = _PRINTABLE_KEY.fullmatch(repeated)
            self._record_fault(f"contains the key {repeated!r} twice" if shown else "contains a key twice")
        return fields

    def _parse_integer(self, digits: str) -> int:
        number = int(digits) if len(digits) <= _INTEGER_DIGITS_MAX else _INTEGER_MAX + 1
        if abs(number) > _INTEGER_MAX:
            self._record_fault("contains an integer of more than 64 bits")
            return 0
        return number

    def _parse_float(self, digits: str) -> float:
        number = float(digits)
        if math.isinf(number):
            self._record_fault("contains a number that is too large")
            return 0.0
        return number

    def _reject_constant(self, name: str) -> None:
        self._record_fault(f"contains {name}, which is not JSON")


def _is_encodable(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
