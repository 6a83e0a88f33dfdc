"""Checks of a decoded indicator record, made by the gate before it applies any law. No error contains a value.

The Avro schema enforces types and most closed lists. These checks cover the rest, so that a publisher that does not use
this library must meet the same contract (`sharing.model.indicator`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sharing.errors import InputError
from sharing.model.countries import STATES
from sharing.model.findings import FINDINGS
from sharing.model.validation_errors import suggest_nearest
from sharing.model.values import VALUE_TYPES, matches_shape
from sharing.model.vocabulary import OffenceCode, OffenceModifier, Pap, Tlp

WireRecord = Mapping[str, Any]
"""A decoded Avro record, or a record nested in it."""

UUID_PATTERN = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
"""In syntax that RE2 also supports."""

NIL_UUID = "00000000-0000-0000-0000-000000000000"
"""What systems write where they have no id. It identifies nothing, so it is the id of no item."""

_UUID = re.compile(UUID_PATTERN)

_ADMIRALTY = re.compile(r"[A-F][1-6]")

SHORT_TEXT_MAX = 512
TEXT_MAX = 8_192
"""Maximum lengths of texts, in characters."""

LIST_MAX = 64
"""Maximum length of a list of codes, markings or tags: the cost of an item grows with the product of some lengths."""

VERSION_MAX = 2**31 - 1
"""Maximum of Avro's int; fastavro also reads larger numbers."""

NEXUS_MAX = 300
"""Above the number of States."""

_CODES = frozenset(map(str, OffenceCode))
_INFORMATION_GRADES = frozenset({None, 1, 2, 3, 4})
_MODIFIERS = frozenset(map(str, OffenceModifier))
_TLP = frozenset(map(str, Tlp)) | {None}
_PAP = frozenset(map(str, Pap)) | {None}
_STATES = {"source": STATES, "origin": STATES | {None}}

ITEM_TEXTS = (
    (("source", "officer"), SHORT_TEXT_MAX),
    (("source", "case"), SHORT_TEXT_MAX),
    (("summary",), TEXT_MAX),
    (("urgency_reason",), SHORT_TEXT_MAX),
)
"""Texts that differ from item to item: path and maximum length of each."""


def check_indicator_record(record: WireRecord) -> None:
    """Check everything that the schema cannot express.

    Raises:
        InputError: A field is not valid. The message has the field, the problem and the nearest known name; never the
            value.
    """
    check_item_fields(record)
    check_shared_fields(record)


def is_uuid(text: str) -> bool:
    """Return whether a text is a UUID in lower case. The nil UUID, all zeros, identifies nothing, and is none."""
    return _UUID.fullmatch(text) is not None and text != NIL_UUID


def check_item_fields(record: WireRecord) -> None:
    """Check the fields that differ from item to item: id, type and value, and `ITEM_TEXTS`.

    Raises:
        InputError: See `check_indicator_record`.
    """
    if not is_uuid(record["id"]):
        raise InputError("id: must be a UUID in lower case, and not all zeros", field="id")
    if record["type"] not in VALUE_TYPES:
        raise InputError(f"type: is not a known type{suggest_nearest(record['type'], VALUE_TYPES)}", field="type")
    if not matches_shape(record["type"], record["value"]):
        raise InputError(f"value: must be in the normal form of type {record['type']}", field="value")
    _check_texts((".".join(path), read_path(record, path), length_max) for path, length_max in ITEM_TEXTS)


def check_shared_fields(record: WireRecord) -> None:
    """Check all other fields, which many items have in common.

    Raises:
        InputError: See `check_indicator_record`.
    """
    if record["version"] != 1 or record["action"] != "PUBLISH":
        _check_version(record)
    _check_offence(record["offence"])
    if record["nexus"]:
        _check_nexus(record["nexus"])
    _check_markings(record)
    if record["findings"] and not FINDINGS.keys() >= record["findings"].keys():
        unknown = min(record["findings"].keys() - FINDINGS.keys())
        raise InputError(f"findings: unknown finding{suggest_nearest(unknown, FINDINGS)}", field="findings")
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
            raise InputError(f"{field}.state: must be an ISO 3166-1 alpha-2 code", field=f"{field}.state")


def is_first_version(record: WireRecord) -> bool:
    """Return whether an item is the first version of what its agency publishes.

    Any higher version replaces what States may have, whatever its action: an agency that raises the version and leaves
    the action at its default has corrected the item all the same.
    """
    return bool(record["version"] == 1)


def extract_id(record: Any) -> str | None:
    """Return the id of a decoded record, or None if it is not a UUID: any other value may be content."""
    record_id = record.get("id") if isinstance(record, dict) else None
    return record_id if isinstance(record_id, str) and _UUID.fullmatch(record_id) else None


def read_path(record: WireRecord, path: Iterable[str]) -> Any:
    """Return the value at a path of field names."""
    value: Any = record
    for name in path:
        value = value[name]
    return value


def _check_texts(texts: Iterable[tuple[str, str | None, int]]) -> None:
    for name, text, length_max in texts:
        if text is not None and not 0 < len(text) <= length_max:
            raise InputError(f"{name}: must have 1 to {length_max} characters", field=name)


def _check_markings(record: WireRecord) -> None:
    if record["tlp"] not in _TLP or record["pap"] not in _PAP:
        field = "tlp" if record["tlp"] not in _TLP else "pap"
        raise InputError(f"{field}: is not a known marking", field=field)
    if "H3" in record["handling"] and not record["handling_text"]:
        raise InputError("handling_text: is missing, and is required with handling code H3", field="handling_text")
    grading = record["grading"]
    if (grading["source"] is None) is not (grading["information"] is None):
        raise InputError("grading: source and information must be graded together, or not at all", field="grading")
    if grading["information"] not in _INFORMATION_GRADES:
        raise InputError("grading.information: must be 1 to 4", field="grading.information")
    if grading["admiralty"] is not None and not _ADMIRALTY.fullmatch(grading["admiralty"]):
        message = "grading.admiralty: must be a letter A to F and a digit 1 to 6, such as B2"
        raise InputError(message, field="grading.admiralty")
    for name in ("handling", "character"):
        if record[name] is not None and len(record[name]) > LIST_MAX:
            raise InputError(f"{name}: must not have more than {LIST_MAX} entries", field=name)


def _check_version(record: WireRecord) -> None:
    if not 1 <= record["version"] <= VERSION_MAX:
        raise InputError(f"version: must be 1 to {VERSION_MAX}", field="version")
    if record["action"] != "PUBLISH" and record["version"] == 1:
        raise InputError("version: must be above 1 for a supersede or withdraw", field="version")
    if record["action"] == "WITHDRAW" and not record["reason"]:
        raise InputError("reason: is missing, and is required for a withdrawal", field="reason")


def _check_offence(offence: WireRecord) -> None:
    for name in ("codes", "modifiers", "modus_operandi"):
        if len(offence[name]) > LIST_MAX:
            raise InputError(f"offence.{name}: must not have more than {LIST_MAX} entries", field=f"offence.{name}")
    for code in offence["codes"]:
        if code not in _CODES:
            raise InputError(f"offence.codes: unknown code{suggest_nearest(code, _CODES)}", field="offence.codes")
    for modifier in offence["modifiers"]:
        if modifier not in _MODIFIERS:
            raise InputError(
                f"offence.modifiers: unknown modifier{suggest_nearest(modifier, _MODIFIERS)}", field="offence.modifiers"
            )
    for tag in offence["modus_operandi"]:
        if not 0 < len(tag) <= SHORT_TEXT_MAX:
            message = f"offence.modus_operandi: must have 1 to {SHORT_TEXT_MAX} characters each"
            raise InputError(message, field="offence.modus_operandi")
    years = offence["max_penalty_years"]
    if years is not None and not 0 <= years <= 100:  # noqa: PLR2004 a life sentence is 100; NaN fails too
        raise InputError("offence.max_penalty_years: must be between 0 and 100", field="offence.max_penalty_years")


def _check_nexus(nexus: Any) -> None:
    if len(nexus) > NEXUS_MAX:
        raise InputError(f"nexus: must not have more than {NEXUS_MAX} entries", field="nexus")
    for entry in nexus:
        if entry["state"] not in STATES:
            raise InputError("nexus.state: must be an ISO 3166-1 alpha-2 code", field="nexus.state")
        if not 0 < len(entry["reason"]) <= SHORT_TEXT_MAX:
            raise InputError(f"nexus.reason: must have 1 to {SHORT_TEXT_MAX} characters", field="nexus.reason")
