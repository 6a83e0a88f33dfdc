"""What the gate asks of an indicator's record before any law is applied: cheap, complete, and without its value.

The Avro schema has settled types and most closed lists. What it cannot say is checked here, so that a publisher
that does not use this library is held to the same contract (`sharing.model.indicator`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sharing.errors import InputError
from sharing.model.countries import STATES
from sharing.model.findings import FINDINGS
from sharing.model.validation import nearest
from sharing.model.values import VALUE_TYPES, matches_shape
from sharing.model.vocabulary import OffenceCode, OffenceModifier, Pap, Tlp

WireRecord = Mapping[str, Any]

UUID_PATTERN = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
"""As RE2 understands it too."""

_UUID = re.compile(UUID_PATTERN)

_ADMIRALTY = re.compile(r"[A-F][1-6]")

SHORT_TEXT_MAX = 512
TEXT_MAX = 8_192
"""Longest texts, in characters."""

LIST_MAX = 64
"""Longest list of codes, marks or tags: the work on an item grows with the product of some of them."""

VERSION_MAX = 2**31 - 1
"""Avro's int; fastavro reads more."""

NEXUS_MAX = 300
"""More States than there are."""

_CODES = frozenset(map(str, OffenceCode))
_INFORMATION_GRADES = frozenset({None, 1, 2, 3, 4})
_MODIFIERS = frozenset(map(str, OffenceModifier))
_TLP = frozenset(map(str, Tlp)) | {None}
_PAP = frozenset(map(str, Pap)) | {None}
_STATES = {"source": STATES, "origin": STATES | {None}}


OWN_TEXTS = (
    (("source", "officer"), SHORT_TEXT_MAX),
    (("source", "case"), SHORT_TEXT_MAX),
    (("summary",), TEXT_MAX),
)
"""Texts that differ from item to item: the path of each, and its longest."""


def check_record(record: WireRecord) -> None:
    """Check what the schema cannot say.

    Raises:
        InputError: Names the field, what is wrong and the nearest known name; never the value.
    """
    check_own(record)
    check_shared(record)


def check_own(record: WireRecord) -> None:
    """Check the fields that differ from item to item: id, value, and the texts that are an item's own.

    Raises:
        InputError: As `check_record`.
    """
    if not _UUID.fullmatch(record["id"]):
        raise InputError("id: must be a UUID in lower case", field="id")
    if record["type"] not in VALUE_TYPES:
        raise InputError(f"type: not a known type{nearest(record['type'], VALUE_TYPES)}", field="type")
    if not matches_shape(record["type"], record["value"]):
        raise InputError(f"value: not in the normal form of type {record['type']}", field="value")
    _check_texts((".".join(path), read_path(record, path), longest) for path, longest in OWN_TEXTS)


def check_shared(record: WireRecord) -> None:
    """Check all other fields: those in which many items are alike.

    Raises:
        InputError: As `check_record`.
    """
    if record["version"] != 1 or record["action"] != "PUBLISH":
        _check_version(record)
    _check_offence(record["offence"])
    if record["nexus"]:
        _check_nexus(record["nexus"])
    _check_marks(record)
    if record["findings"] and not FINDINGS.keys() >= record["findings"].keys():
        unknown = min(record["findings"].keys() - FINDINGS.keys())
        raise InputError(f"findings: unknown finding{nearest(unknown, FINDINGS)}", field="findings")
    _check_texts(
        (
            ("source.agency", record["source"]["agency"], SHORT_TEXT_MAX),
            ("reason", record["reason"], SHORT_TEXT_MAX),
            ("handling_text", record["handling_text"], TEXT_MAX),
        )
    )
    for field in ("source", "origin"):
        state = record[field]["state"]
        if state not in _STATES[field]:
            raise InputError(f"{field}.state: not an ISO 3166-1 alpha-2 code", field=f"{field}.state")


def known_id(record: Any) -> str | None:
    """Return the id of what was decoded, where it is one: what else stands in its place may be content."""
    found = record.get("id") if isinstance(record, dict) else None
    return found if isinstance(found, str) and _UUID.fullmatch(found) else None


def read_path(record: WireRecord, path: Iterable[str]) -> Any:
    """Return what stands at a path of field names."""
    found: Any = record
    for name in path:
        found = found[name]
    return found


def _check_texts(texts: Iterable[tuple[str, str | None, int]]) -> None:
    for name, text, longest in texts:
        if text is not None and not 0 < len(text) <= longest:
            raise InputError(f"{name}: must have 1 to {longest} characters", field=name)


def _check_marks(record: WireRecord) -> None:
    if record["tlp"] not in _TLP or record["pap"] not in _PAP:
        raise InputError("tlp, pap: not a known mark", field="tlp" if record["tlp"] not in _TLP else "pap")
    if "H3" in record["handling"] and not record["handling_text"]:
        raise InputError("handling_text: is missing, and handling H3 needs it", field="handling_text")
    grading = record["grading"]
    if (grading["source"] is None) is not (grading["information"] is None):
        raise InputError("grading: source and information are graded together, or neither is", field="grading")
    if grading["information"] not in _INFORMATION_GRADES:
        raise InputError("grading.information: must be 1 to 4", field="grading.information")
    if grading["admiralty"] is not None and not _ADMIRALTY.fullmatch(grading["admiralty"]):
        raise InputError("grading.admiralty: must be A to F and 1 to 6, such as B2", field="grading.admiralty")
    for name in ("handling", "character"):
        if record[name] is not None and len(record[name]) > LIST_MAX:
            raise InputError(f"{name}: more than {LIST_MAX} entries", field=name)


def _check_version(record: WireRecord) -> None:
    if not 1 <= record["version"] <= VERSION_MAX:
        raise InputError(f"version: must be 1 to {VERSION_MAX}", field="version")
    if record["action"] != "PUBLISH" and record["version"] == 1:
        raise InputError("version: a supersede or withdraw raises it above 1", field="version")
    if record["action"] == "WITHDRAW" and not record["reason"]:
        raise InputError("reason: is missing, and a withdrawal needs one", field="reason")


def _check_offence(offence: WireRecord) -> None:
    for name in ("codes", "modifiers", "modus_operandi"):
        if len(offence[name]) > LIST_MAX:
            raise InputError(f"offence.{name}: more than {LIST_MAX} entries", field=f"offence.{name}")
    for code in offence["codes"]:
        if code not in _CODES:
            raise InputError(f"offence.codes: unknown code{nearest(code, _CODES)}", field="offence.codes")
    for modifier in offence["modifiers"]:
        if modifier not in _MODIFIERS:
            raise InputError(f"offence.modifiers: unknown{nearest(modifier, _MODIFIERS)}", field="offence.modifiers")
    for tag in offence["modus_operandi"]:
        if not 0 < len(tag) <= SHORT_TEXT_MAX:
            message = f"offence.modus_operandi: must have 1 to {SHORT_TEXT_MAX} characters each"
            raise InputError(message, field="offence.modus_operandi")
    years = offence["max_penalty_years"]
    if years is not None and not 0 <= years <= 100:  # noqa: PLR2004 a life sentence is 100; NaN fails too
        raise InputError("offence.max_penalty_years: must be between 0 and 100", field="offence.max_penalty_years")


def _check_nexus(nexus: Any) -> None:
    if len(nexus) > NEXUS_MAX:
        raise InputError(f"nexus: more than {NEXUS_MAX} entries", field="nexus")
    for entry in nexus:
        if entry["state"] not in STATES:
            raise InputError("nexus.state: not an ISO 3166-1 alpha-2 code", field="nexus.state")
        if not 0 < len(entry["reason"]) <= SHORT_TEXT_MAX:
            raise InputError(f"nexus.reason: must have 1 to {SHORT_TEXT_MAX} characters", field="nexus.reason")
