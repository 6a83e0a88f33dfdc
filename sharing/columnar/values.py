"""Columnar value checks: whether each value has the shape of its type, and which States it points to.

The results equal those of `sharing.model.values.get_shape_matcher` and `AudienceFinder.nexus_deriver`, value by value.
Arrow's RE2 checks the shapes whose regular expressions mean the same to RE2 as to Python. Hosts are the most frequent
values. When a host has a plain form, its last three characters determine where it points to. Other values are checked
one at a time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from sharing.model.values import VALUE_TYPES, get_shape_matcher
from sharing.relevance.audience import AudienceFinder
from sharing.relevance.nexus import NexusEvidence, NexusFunction

INVALID = -1
"""Evidence code of a value that does not have the shape of its type."""

NO_EVIDENCE = 0
"""Evidence code of a value that points to no State."""

_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# To exclude onion services, top-level domains with five letters must not end in n.
_TOP_LEVEL = "(?:[a-z]{2,4}|[a-z]{4}[a-mo-z]|[a-z]{6,63})"
_HOST = rf"(?:{_LABEL}\.){{1,3}}{_TOP_LEVEL}"

# Syntax that RE2 may interpret differently: look-around, classes that Unicode widens, and non-ASCII characters.
_DIVERGENT_SYNTAX = re.compile(r"\(\?[^:]|\\[A-Za-z0-9]|\[\^|(?<!\\)\.|[^\x20-\x7e]")


class _HostFormat(NamedTuple):
    """The plain form of a type whose values are or contain a host.

    Attributes:
        shape: Regular expression for RE2. Its matches have the shape of the type.
        get_hosts: Returns the host of each value, or a text that ends with it.
    """

    shape: str
    get_hosts: Callable[[pa.Array], pa.Array]


_HOST_FORMATS = {
    "domain-name": _HostFormat(_HOST, lambda values: values),
    "email-addr": _HostFormat(rf"[A-Za-z0-9_+-]{{1,64}}@{_HOST}", lambda values: values),
    "url": _HostFormat(
        rf"[a-z]{{2,16}}://{_HOST}(?:/[!#-;=?-~]*)?",
        lambda values: pc.list_element(pc.split_pattern(values, "/", max_splits=3), 2),
    ),
}


class ValueReader:
    """Checks the values of one State's items and derives their nexus evidence.

    Args:
        finder: Derives the nexus evidence of a value.

    Attributes:
        evidence: The nexus evidence for each evidence code. The first one is empty.
    """

    def __init__(self, finder: AudienceFinder) -> None:
        self._finder = finder
        self.evidence: list[tuple[NexusEvidence, ...]] = [()]
        self._codes: dict[tuple[NexusEvidence, ...], int] = {(): NO_EVIDENCE}
        self._code_by_suffix = _CodeBySuffix(self._get_code, finder.find_nexus_function("domain-name"))

    def resolve_evidence(self, types: pa.Array, values: pa.Array) -> pa.Array:
        """Return the evidence code of each value, or `INVALID`, as int64.

        Args:
            types: Names of the values' types, without nulls.
            values: The values, without nulls.
        """
        row_parts: list[pa.Array] = [pa.array([], pa.uint64())]
        code_parts: list[pa.Array] = [pa.array([], pa.int64())]
        kinds = types.dictionary_encode()
        for code, kind in enumerate(kinds.dictionary.to_pylist()):
            rows = pc.indices_nonzero(pc.equal(kinds.indices, code))
            texts = values.take(rows)
            shape = get_columnar_shape(kind)
            if shape is not None:
                matches = pc.match_substring_regex(texts, shape)
                row_parts.append(rows.filter(matches))
                code_parts.append(self._resolve_matching(kind, texts.filter(matches)))
                others = pc.invert(matches)
                rows, texts = rows.filter(others), texts.filter(others)
            if len(rows):
                row_parts.append(rows)
                code_parts.append(pa.array(self._resolve_singly(kind, texts.to_pylist()), pa.int64()))
        return pc.scatter(pa.concat_arrays(code_parts), pa.concat_arrays(row_parts).cast(pa.int64()))

    def _resolve_matching(self, kind: str, values: pa.Array) -> pa.Array:
        """Return the evidence codes of values that match `get_columnar_shape`."""
        derive, host_format = self._finder.find_nexus_function(kind), _HOST_FORMATS.get(kind)
        if derive is None:
            return pa.repeat(pa.scalar(NO_EVIDENCE, pa.int64()), len(values))
        if host_format is not None:
            suffixes = pc.utf8_slice_codeunits(host_format.get_hosts(values), -3).dictionary_encode()
            codes = pa.array([self._code_by_suffix[suffix] for suffix in suffixes.dictionary.to_pylist()], pa.int64())
            return codes.take(suffixes.indices)
        return pa.array([self._get_code(derive(text)) for text in values.to_pylist()], pa.int64())

    def _resolve_singly(self, kind: str, texts: Sequence[str]) -> list[int]:
        """Return the evidence codes of values that must be checked one at a time."""
        derive, has_shape = self._finder.find_nexus_function(kind), get_shape_matcher(kind)
        if has_shape is None:
            return [INVALID] * len(texts)
        return [
            INVALID if not has_shape(text) else NO_EVIDENCE if derive is None else self._get_code(derive(text))
            for text in texts
        ]

    def _get_code(self, evidence: tuple[NexusEvidence, ...]) -> int:
        code = self._codes.get(evidence)
        if code is None:  # States and kinds of evidence give a few thousand codes at most
            code = self._codes[evidence] = len(self.evidence)
            self.evidence.append(evidence)
        return code


class _CodeBySuffix(dict[str, int]):
    """Evidence codes of hosts by their last three characters: a ccTLD and its dot, or a suffix without evidence."""

    def __init__(self, get_code: Callable[[tuple[NexusEvidence, ...]], int], derive: NexusFunction | None) -> None:
        self._get_code = get_code
        self._derive = derive

    def __missing__(self, suffix: str) -> int:
        code = self[suffix] = NO_EVIDENCE if self._derive is None else self._get_code(self._derive(suffix))
        return code


@cache
def get_columnar_shape(kind: str) -> str | None:
    """Return a regular expression for RE2 whose matches have the shape of a type.

    None where values must be checked one at a time.
    """
    host_format, value_type = _HOST_FORMATS.get(kind), VALUE_TYPES.get(kind)
    if host_format is not None:
        return rf"\A(?:{host_format.shape})\z"
    if value_type is None or value_type.shape.flags != re.UNICODE or _DIVERGENT_SYNTAX.search(value_type.shape.pattern):
        return None
    return rf"\A(?:{value_type.shape.pattern})\z"
