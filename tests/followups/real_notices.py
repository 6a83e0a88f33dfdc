"""Notices about the items of the demo under the shipped laws: what gates send, or send once an offer is accepted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sharing.kafka.directory_topic import parse_entries
from sharing.law.redaction import build_content
from sharing.model.directory import Directory
from sharing.model.indicator_record import WireRecord
from sharing.model.notice import Notice
from sharing.model.times import to_milliseconds
from sharing.packs.library import find_law
from sharing.serialization.codec import get_codec
from sharing.testing.demo.scenario import read_conversation_cases, read_demo_cases
from sharing.testing.samples import sample_directory
from sharing.topology.topics import INDICATORS
from tests.processors.gate.gate_fixtures import Message, decode_by_topic, decode_content, process_messages

NOW_MS = to_milliseconds(datetime(2026, 3, 1, 12, tzinfo=UTC))


@cache
def read_sample_directory() -> Directory:
    """Return the sample directory."""
    return Directory({entry.state: entry for entry in parse_entries(*sample_directory())})


@cache
def list_real_notices() -> dict[str, Notice]:
    """Return the notices by the title of their case and the receiving State."""
    return dict(_read_notices())


def _read_notices() -> Iterator[tuple[str, Notice]]:
    directory = read_sample_directory()
    for case in (*read_demo_cases(), *read_conversation_cases()):
        record = case.indicator.to_record()
        state = case.indicator.source.state
        message = replace(
            Message(get_codec("indicator").encode(record), str(record["id"]).encode(), published_at=NOW_MS),
            topic_name=INDICATORS.topic(state),
        )
        result = process_messages(message, pack=find_law(state).pack, directory=directory, now_ms=NOW_MS)
        for fields in (fields for records in decode_by_topic(result).values() for fields in records):
            if "category" in fields:
                yield f"{case.title} to {fields['to_state']}", _release(fields, record)
            elif "redacted" in fields and "to_state" in fields:
                yield f"{case.title} to {fields['to_state']}", Notice.from_records(fields, decode_content(fields))


def _release(offer: Mapping[str, Any], record: WireRecord) -> Notice:
    """Return the notice that follows once an offer is accepted."""
    content = {**build_content(record, ()), "relevance": [{"kind": kind, "detail": ""} for kind in offer["relevance"]]}
    times = {"review_at": None, "retain_until": None}
    return Notice.from_records({**offer, **times, "kind": "ITEM", "redacted": []}, content)
