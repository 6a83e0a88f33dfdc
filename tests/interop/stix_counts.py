"""Counts what a STIX bundle contains, with a naive implementation and the validator of the pattern library."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from stix2patterns.exceptions import ParseException
from stix2patterns.v21.pattern import Pattern

from sharing.interop import ImportResult, UnpublishedCause

if TYPE_CHECKING:
    from collections.abc import Mapping

_METADATA = {
    "type", "id", "spec_version", "object_marking_refs", "granular_markings", "defanged", "created", "modified",
    "labels", "created_by_ref", "confidence", "lang", "external_references", "revoked",
}  # fmt: skip
_OBSERVABLES = {
    "artifact", "autonomous-system", "directory", "domain-name", "email-addr", "email-message", "file", "ipv4-addr",
    "ipv6-addr", "mac-addr", "mutex", "network-traffic", "process", "software", "url", "user-account",
    "windows-registry-key", "x509-certificate",
}  # fmt: skip
_LITERAL = re.compile(r"[htb]?'(?:[^'\\]|\\.)*'|[-+]?[0-9]+(?:\.[0-9]+)?|true|false")
_WHOLE = {UnpublishedCause.DELETED, UnpublishedCause.OUTDATED}


def count_objects(objects: list[Any], result: ImportResult) -> int:
    """Return how many entries the objects of a bundle must have.

    Args:
        objects: The objects.
        result: The result, of which only those are used that are about a whole object.
    """
    whole = {entry.position for entry in result.unpublished}
    return sum(_count_object(item, f"/objects/{index}" in whole) for index, item in enumerate(objects))


def _count_object(item: Any, is_listed_as_whole: bool) -> int:
    if not isinstance(item, dict) or not isinstance(item.get("type"), str) or item["type"] == "bundle":
        return 1
    if item["type"] == "observed-data":
        return 1 + _count_embedded(item) if item.get("spec_version", "2.0") in ("2.0", "2.1") else 1
    if is_listed_as_whole or item["type"] not in {"indicator", *_OBSERVABLES}:
        return 1
    return _count_indicator(item) if item["type"] == "indicator" else _count_observable(item)


def _count_embedded(item: Mapping[str, Any]) -> int:
    embedded = item.get("objects")
    if not isinstance(embedded, dict):
        return embedded is not None
    total = 0
    for value in embedded.values():
        is_read = isinstance(value, dict) and str(value.get("type")) in _OBSERVABLES
        is_whole = is_read and (
            value.get("spec_version", "2.0") not in ("2.0", "2.1")
            or any(holder.get("revoked") not in (None, False) for holder in (item, value))
        )
        total += _count_observable(value) if is_read and not is_whole else 1
    return total


def _count_indicator(item: Mapping[str, Any]) -> int:
    return count_pattern_constants(item["pattern"]) if item.get("pattern_type", "stix") == "stix" else 1


def _count_observable(item: Mapping[str, Any]) -> int:
    total = 0
    for name, value in item.items():
        if name in _METADATA or name.startswith("x_") or name.endswith(("_ref", "_refs")) or value is None:
            continue
        total += len(value) if name in {"hashes", "extensions"} and isinstance(value, dict) else 1
    return max(1, total)


def count_pattern_constants(pattern: str) -> int:
    """Return how many constants a pattern compares; a comparison without one counts as one, and so does no pattern."""
    try:
        comparisons = Pattern(pattern).inspect().comparisons
    except (ParseException, RecursionError, AttributeError):
        return 1
    count = pattern.count("EXISTS")
    for found in comparisons.values():
        for _, operator, value in found:
            count += max(1, len(_LITERAL.findall(value))) if operator.endswith("IN") else 1
    return max(1, count)
