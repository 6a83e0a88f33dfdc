"""Redaction only removes, and some fields are never in the content."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sharing.law.redaction import CONTENT_FIELDS, build_content
from tests.law.filter_fixtures import RECORD
from tests.law.strategies import records, search_settings


@search_settings(0.1)
@given(records(), st.sets(st.sampled_from(sorted(CONTENT_FIELDS)) | st.sampled_from(["officer", "findings"])))
def test_redaction_only_removes_fields(record: dict[str, Any], redacted: set[str]) -> None:
    full, redacted_content = build_content(record, ()), build_content(record, redacted)
    assert redacted_content.keys() == full.keys() == CONTENT_FIELDS.keys()
    for name, value in redacted_content.items():
        assert value in (None, []) if name in redacted else value == full[name]


def test_the_officer_and_the_findings_are_never_in_the_content() -> None:
    record = {**RECORD, "findings": {"request_grantable": "YES"}}
    record["source"] = {**record["source"], "officer": "MARKER"}
    assert "MARKER" not in repr(build_content(record, ()))
    assert "request_grantable" not in repr(build_content(record, ()))
