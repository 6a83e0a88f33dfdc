"""Builders of STIX bundles, and how they are imported."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.interop.import_fixtures import import_data

if TYPE_CHECKING:
    from sharing.interop import ImportResult
    from sharing.model.indicator import Indicator

ONLY = "defaults: {form: INFORMATION}"
"""A profile that publishes indicators, and no observables."""

ANY = "to_ids: any"
CREATED = "2026-03-01T12:00:00.000Z"
RED_ID = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"
STATEMENT_ID = "marking-definition--11111111-1111-4111-8111-111111111111"
PATTERN = "[ipv4-addr:value = '198.51.100.7']"


def make_id(type_name: str, number: int = 1) -> str:
    """Return the id of an object."""
    return f"{type_name}--00000000-0000-4000-8000-{number:012d}"


def make_object(type_name: str, number: int = 1, **more: Any) -> dict[str, Any]:
    """Return a STIX 2.1 object."""
    return {"type": type_name, "spec_version": "2.1", "id": make_id(type_name, number), **more}


def make_indicator(pattern: Any = PATTERN, number: int = 1, **more: Any) -> dict[str, Any]:
    """Return an indicator with a STIX pattern."""
    fields = {"created": CREATED, "modified": CREATED, "valid_from": CREATED, "pattern_type": "stix"}
    return make_object("indicator", number, **{**fields, "pattern": pattern, **more})


def make_marking(**more: Any) -> dict[str, Any]:
    """Return a marking definition."""
    return {"type": "marking-definition", "spec_version": "2.1", "id": STATEMENT_ID, "created": CREATED, **more}


def make_bundle(*objects: Any, **more: Any) -> dict[str, Any]:
    """Return a bundle."""
    return {"type": "bundle", "id": make_id("bundle"), "objects": list(objects), **more}


def import_bundle(*objects: Any, profile: str = ONLY, **more: Any) -> ImportResult:
    """Import a bundle."""
    return import_data(json.dumps(make_bundle(*objects, **more)), profile)


def get_only_indicator(result: ImportResult) -> Indicator:
    """Return the only indicator of a result."""
    (located,) = result.indicators
    return located.indicator
