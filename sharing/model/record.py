"""What the gate asks of an indicator's record before any law is applied: cheap, complete, and without its value.

The Avro schema has settled types and most closed lists. What it cannot say is checked here, so that a publisher
that does not use this library is held to the same contract (`sharing.model.indicator`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sharing.errors import InputError
from sharing.model.countries import COUNTRIES
from sharing.model.findings import FINDINGS
from sharing.model.validation import nearest
from sharing.model.values import VALUE_TYPES, matches_shape
from sharing.model.vocabulary import OffenceCode, OffenceModifier, Pap, Tlp

Record = Mapping[str, Any]

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

NEXUS_MAX = 300
"""More States than there are."""

_CODES = frozenset(map(str, OffenceCode))
_MODIFIERS = frozenset(map(str, OffenceModifier))
_TLP = frozenset(map(str, Tlp)) | {None}
_PAP = frozenset(map(str, Pap)) | {None}


def check_record(record: Record) -> None:
    """Check what the schema cannot say.

    Raises:
        InputError: Names the field, what is wrong and the nearest known name; never the value.
    """
    if not _UUID.fullmatch(record["id"]):
        raise InputError("id: must be a UUID in lower case", field="id")
    if record["type"] not in VALUE_TYPES:
        raise InputError(f"type: not a known type{nearest(record['type'], VALUE_TYPES)}", field="type")
    if not matches_shape(record["type"], record["value"]):
        raise InputError(f"value: not in the normal form of type {record['type']}", field="value")
    if record["version"] != 1 or record["action"] != "PUBLISH":
        _check_version(record)
    _check_offence(record["offence"])
    if record["nexus"]:
        _check_nexus(record["nexus"])
    _check_marks(record)
    if record["findings"] and not FINDINGS.keys() >= record["findings"].keys():
        unknown = min(record["findings"].keys() - FINDINGS.keys())
        raise InputError(f"findings: unknown finding{nearest(unknown, FINDINGS)}", field="findings")
    origin = record["origin"]["state"]
    if origin is not None and origin not in COUNTRIES:
        raise InputError("origin.state: not an ISO 3166-1 alpha-2 code", field="origin.state")


def _check_marks(record: Record) -> None:
    if record["tlp"] not in _TLP or record["pap"] not in _PAP:
        raise InputError("tlp, pap: not a known mark", field="tlp" if record["tlp"] not in _TLP else "pap")
    if "H3" in record["handling"] and not record["handling_text"]:
        raise InputError("handling_text: is missing, and handling H3 needs it", field="handling_text")
    grading = record["grading"]
    if (grading["source"] is None) is not (grading["information"] is None):
        raise InputError("grading: source and information are graded together, or neither is", field="grading")


def _check_version(record: Record) -> None:
    if record["version"] < 1:
        raise InputError("version: must be 1 or more", field="version")
    if record["action"] != "PUBLISH" and record["version"] == 1:
        raise InputError("version: a supersede or withdraw raises it above 1", field="version")
    if record["action"] == "WITHDRAW" and not record["reason"]:
        raise InputError("reason: is missing, and a withdrawal needs one", field="reason")


def _check_offence(offence: Record) -> None:
    for code in offence["codes"]:
        if code not in _CODES:
            raise InputError(f"offence.codes: unknown code{nearest(code, _CODES)}", field="offence.codes")
    for modifier in offence["modifiers"]:
        if modifier not in _MODIFIERS:
            raise InputError(f"offence.modifiers: unknown{nearest(modifier, _MODIFIERS)}", field="offence.modifiers")
    years = offence["max_penalty_years"]
    if years is not None and not 0 <= years <= 100:  # noqa: PLR2004 a life sentence is 100; NaN fails too
        raise InputError("offence.max_penalty_years: must be between 0 and 100", field="offence.max_penalty_years")


def _check_nexus(nexus: Any) -> None:
    if len(nexus) > NEXUS_MAX:
        raise InputError(f"nexus: more than {NEXUS_MAX} entries", field="nexus")
    for entry in nexus:
        if entry["state"] not in COUNTRIES:
            raise InputError("nexus.state: not an ISO 3166-1 alpha-2 code", field="nexus.state")
