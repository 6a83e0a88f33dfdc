"""The values of a batch by columns: whether each has the shape of its type, and which States it points to.

The answers are those of `sharing.model.values.shape_of` and of `AudienceFinder.deriver`, value by value. Arrow's RE2
looks at the shapes that it reads as Python does. Hosts, the most frequent values, come in a plain form: of that the
last three characters say where it points to. What is not plain is looked at one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from sharing.model.values import VALUE_TYPES, shape_of
from sharing.relevance.audience import AudienceFinder
from sharing.relevance.nexus import Deriver, Evidence

MISSHAPEN = -1
"""Stands for a value that does not have the shape of its type."""

NOWHERE = 0

_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# No onion service: of top-level domains with five letters those that end in n are left out.
_TOP_LEVEL = "(?:[a-z]{2,4}|[a-z]{4}[a-mo-z]|[a-z]{6,63})"
_HOST = rf"(?:{_LABEL}\.){{1,3}}{_TOP_LEVEL}"

# What RE2 may read otherwise: look-around, classes that Unicode widens, and all but ASCII.
_UNLIKE = re.compile(r"\(\?[^:]|\\[A-Za-z0-9]|\[\^|(?<!\\)\.|[^\x20-\x7e]")


class _Hosts(NamedTuple):
    """Values that are or name a host, in their plain form.

    Attributes:
        shape: Regular expression for RE2 of the plain form; it has the shape of the type.
        host: Returns the host in each value.
    """

    shape: str
    host: Callable[[pa.Array], pa.Array]


_HOSTS = {
    "domain-name": _Hosts(_HOST, lambda values: values),
    "email-addr": _Hosts(rf"[A-Za-z0-9_+-]{{1,64}}@{_HOST}", lambda values: values),  # its end is what is looked at
    "url": _Hosts(
        rf"[a-z]{{2,16}}://{_HOST}(?:/[!#-;=?-~]*)?",
        lambda values: pc.list_element(pc.split_pattern(values, "/", max_splits=3), 2),
    ),
}


class ValueReader:
    """Reads the values of one State's items.

    Args:
        finder: Tells what a value points to.

    Attributes:
        evidence: What values point to, by the numbers that `read` gives. The first is nowhere.
    """

    def __init__(self, finder: AudienceFinder) -> None:
        self._finder = finder
        self.evidence: list[tuple[Evidence, ...]] = [()]
        self._numbers: dict[tuple[Evidence, ...], int] = {(): NOWHERE}
        self._ends = _Ends(self._number, finder.deriver("domain-name"))

    def read(self, types: pa.Array, values: pa.Array) -> pa.Array:
        """Return for each value the number of what it points to, or `MISSHAPEN`, as int64.

        Args:
            types: Names of the values' types, none of them null.
            values: Likewise.
        """
        places: list[pa.Array] = [pa.array([], pa.uint64())]
        numbers: list[pa.Array] = [pa.array([], pa.int64())]
        kinds = types.dictionary_encode()
        for code, kind in enumerate(kinds.dictionary.to_pylist()):
            rows = pc.indices_nonzero(pc.equal(kinds.indices, code))
            texts = values.take(rows)
            shape = shape_by_column(kind)
            if shape is not None:
                fits = pc.match_substring_regex(texts, shape)
                places.append(rows.filter(fits))
                numbers.append(self._read_shapely(kind, texts.filter(fits)))
                rest = pc.invert(fits)
                rows, texts = rows.filter(rest), texts.filter(rest)
            if len(rows):
                places.append(rows)
                numbers.append(pa.array(self._read_alone(kind, texts.to_pylist()), pa.int64()))
        return pc.scatter(pa.concat_arrays(numbers), pa.concat_arrays(places).cast(pa.int64()))

    def _read_shapely(self, kind: str, values: pa.Array) -> pa.Array:
        """Return the numbers of values that match `shape_by_column`."""
        derive, hosts, ends = self._finder.deriver(kind), _HOSTS.get(kind), self._ends
        if derive is None:
            return pa.repeat(pa.scalar(NOWHERE, pa.int64()), len(values))
        if hosts is not None:
            found = pc.utf8_slice_codeunits(hosts.host(values), -3).dictionary_encode()
            return pa.array([ends[end] for end in found.dictionary.to_pylist()], pa.int64()).take(found.indices)
        return pa.array([self._number(derive(text)) for text in values.to_pylist()], pa.int64())

    def _read_alone(self, kind: str, texts: Sequence[str]) -> list[int]:
        """Return the numbers of values of which nothing is known but their type."""
        derive, has_shape = self._finder.deriver(kind), shape_of(kind)
        if has_shape is None:
            return [MISSHAPEN] * len(texts)
        return [
            MISSHAPEN if not has_shape(text) else NOWHERE if derive is None else self._number(derive(text))
            for text in texts
        ]

    def _number(self, evidence: tuple[Evidence, ...]) -> int:
        number = self._numbers.get(evidence)
        if number is None:  # a State and a kind of evidence: there are some thousands at most
            number = self._numbers[evidence] = len(self.evidence)
            self.evidence.append(evidence)
        return number


class _Ends(dict[str, int]):
    """Numbers of what hosts point to, by their last three characters: a ccTLD and its dot, or nothing that tells."""

    def __init__(self, number: Callable[[tuple[Evidence, ...]], int], derive: Deriver | None) -> None:
        self._number = number
        self._derive = derive

    def __missing__(self, end: str) -> int:
        number = self[end] = NOWHERE if self._derive is None else self._number(self._derive(end))
        return number


@cache
def shape_by_column(kind: str) -> str | None:
    """Return what RE2 can match values of a type with; it matches nothing that has not the type's shape.

    None where values are to be looked at one by one.
    """
    hosts, known = _HOSTS.get(kind), VALUE_TYPES.get(kind)
    if hosts is not None:
        return rf"\A(?:{hosts.shape})\z"
    if known is None or known.shape.flags != re.UNICODE or _UNLIKE.search(known.shape.pattern):
        return None
    return rf"\A(?:{known.shape.pattern})\z"
