"""What is fuzzed: each decoder and importer, its seeds, and what must hold of it whatever comes.

A target takes the source of chance, makes inputs, feeds them, and raises what it should not have met.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from processors.gate.gate import Gate, conserves
from sharing._subscriber import read_notice
from sharing.errors import DecodeError, InputError, SharingError
from sharing.interop import FileFormat, ImportContext, SourceInfo
from sharing.interop.files import read_bytes
from sharing.interop.profile import parse_profile
from sharing.kafka.directory_topic import read_entries
from sharing.law.cases import parse_cases, run_cases
from sharing.law.pack_reader import parse_pack
from sharing.law.treaties import parse_treaties
from sharing.model.values import VALUE_TYPES, normalise
from sharing.packs.library import common_rules, shipped_treaties
from sharing.serialization.codec import SCHEMA_NAMES, codec_of
from sharing.testing.samples import sample_directory, sample_file, sample_files
from tests.bench.workload import make_indicators
from tests.fuzz.mutation import spoil_bytes, spoil_tree
from tests.interop.test_accounting import check, count
from tests.model.indicator_forms import FULL, LEAST
from tests.processors.gate.test_gate import DIRECTORY, LAW, NOW_MS, PACK, Message, sent

BATCH = 24
ALONE = 10**9
ID = "018f3c1e-7b1a-7c3d-8e2f-0123456789ab"

PROFILE = """\
version: 1
defaults: {form: INFORMATION, collection: OPEN_SOURCE}
"""
CASES = """\
base:
  indicator: {type: domain-name, value: malware.example.org, form: INFORMATION, source: {state: CH, agency: a}}
  recipient: US
  authority: POLICE
  at: 2026-03-01T12:00:00Z
cases:
  - {name: one, rule: ch.permit, kind: decides, given: {live_case_harm: false}, expect: {outcome: WITHHOLD}}
"""
TREATIES = """\
title: t
consolidated_at: 2026-01-01
note: n
instruments:
  BUDAPEST: {title: t, article: a, condition_model: PRE_ACCEPT, in_force: 2004-07-01, source: K, verified: false,
             note: n, parties: {CH: 2012-01-01, DE: 2009-07-01}}
"""


@dataclass(frozen=True, slots=True)
class Target:
    """Something that reads what others wrote.

    Attributes:
        weight: Share of the inputs that it gets: cheap ones get most.
        feed: Feeds some inputs, and returns how many.
    """

    name: str
    weight: int
    feed: Callable[[random.Random], int]


def _must(held: object) -> None:
    """Assert of an error that was to be expected what it has to say."""
    assert held


@cache
def _records() -> dict[str, list[bytes]]:
    """Return sound records of each schema: those that the gate makes of a batch, and what went into it."""
    items = [Message(value, key) for key, value in make_indicators(40, 0.5)] + [sent(number) for number in range(1, 9)]
    found: dict[str, list[bytes]] = {name: [] for name in SCHEMA_NAMES}
    found["indicator"] = [item.data for item in items if item.data is not None]
    broken = Message(b"no Avro", b"k")
    for output in Gate(LAW, shipped_treaties()).process([*items, broken], DIRECTORY, NOW_MS).outputs:
        for name in SCHEMA_NAMES:
            if output.value is not None and output.value.startswith(codec_of(name).header):
                found[name].append(output.value)
                if name == "notice":
                    found["notice_content"].append(codec_of(name).decode(output.value)["content"])
    entries = [codec_of("directory_entry").encode(entry.to_wire()) for entry in read_entries(*sample_directory())]
    return {**found, "directory_entry": entries}


def feed_wire(draw: random.Random) -> int:
    """Avro on the wire: a record that encodes again, or a DecodeError."""
    name = draw.choice(SCHEMA_NAMES)
    seeds = _records()[name]
    if not seeds:
        return 0
    data = spoil_bytes(draw, seeds) if draw.random() < 0.9 else draw.randbytes(draw.randrange(200))
    try:
        record = codec_of(name).decode(data)
    except DecodeError as error:
        _must(error.cause)
        return 1
    try:
        codec_of(name).encode(record)
    except ValueError as error:  # a negative index of an enum is another symbol, and encodes otherwise; never a crash
        _must(name in str(error))
    return 1


def feed_gate(draw: random.Random) -> int:
    """A batch at the gate: every record accounted for, by columns and one by one the same."""
    seeds = _records()["indicator"]
    batch = []
    for place in range(BATCH):
        data = spoil_bytes(draw, seeds) if draw.random() < 0.5 else draw.choice(seeds)
        key = data[11:47] if draw.random() < 0.9 else draw.randbytes(36)
        batch.append(Message(data, key, place))
    by_columns = Gate(LAW, shipped_treaties()).process(batch, DIRECTORY, NOW_MS)
    alone = Gate(LAW, shipped_treaties(), columns_min=ALONE).process(batch, DIRECTORY, NOW_MS)
    assert conserves(batch, by_columns)
    assert by_columns.outputs == alone.outputs
    return BATCH


def feed_notice(draw: random.Random) -> int:
    """A notice at a subscriber: it, or a DecodeError."""
    try:
        read_notice(spoil_bytes(draw, _records()["notice"]), "US")
    except DecodeError as error:
        _must(error.cause)
    return 1


def feed_lines(draw: random.Random) -> int:
    """JSON lines: each line that is not blank is published or listed."""
    trees = [spoil_tree(draw, draw.choice([LEAST, FULL])) for _ in range(draw.randint(1, 4))]
    data = "\n".join(json.dumps(tree) for tree in trees).encode()
    if draw.random() < 0.5:
        data = spoil_bytes(draw, [data])
    reading = _read(data, FileFormat.JSONL)
    if reading is not None:
        check(reading)
        start = 3 if data.startswith(b"\xef\xbb\xbf") else 0
        assert reading.read == sum(bool(line.strip(b" \t\r")) for line in data[start:].split(b"\n"))
    return 1


@cache
def _events() -> list[Any]:
    """Return events cut to a few attributes and objects each."""
    events = []
    for name in sample_files():
        event = json.loads(sample_file(name).read_bytes())
        body = event.get("Event", event)
        body["Attribute"] = body.get("Attribute", [])[:3]
        body["Object"] = body.get("Object", [])[:1]
        events.append({"Event": {key: body[key] for key in ("uuid", "Attribute", "Object", "Tag") if key in body}})
    return events


def feed_misp(draw: random.Random) -> int:
    """A MISP event: everything in it is published or listed, once."""
    event = spoil_tree(draw, draw.choice(_events()))
    data = json.dumps(event).encode()
    if draw.random() < 0.3:
        data = spoil_bytes(draw, [data])
    reading = _read(data, FileFormat.MISP)
    if reading is None:
        return 1
    check(reading)
    body = json.loads(data.decode("utf-8-sig")).get("Event") if isinstance(event, dict) else None
    if isinstance(body, dict) and all(
        isinstance(body.get(part, []), list) for part in ("Attribute", "Object", "ShadowAttribute", "EventReport")
    ):
        assert reading.read == count(body)
    return 1


def _read(data: bytes, form: FileFormat) -> Any:
    intake = ImportContext(SourceInfo("CH", "fuzz"), lambda: ID, format=form)
    try:
        return read_bytes(data, "input", intake)
    except InputError as error:
        _must(str(error))
        return None


def feed_value(draw: random.Random) -> int:
    """A value of any type: its normal form, of which the normal form is itself, or an InputError without it."""
    name = draw.choice(list(VALUE_TYPES))
    seed = VALUE_TYPES[name].example.encode()
    text = spoil_bytes(draw, [seed, seed, draw.choice(list(VALUE_TYPES.values())).example.encode()])
    try:
        found = normalise(name, text.decode("utf-8", "surrogateescape"))
    except InputError:
        return 1
    assert normalise(name, found) == found
    return 1


def feed_law(draw: random.Random) -> int:
    """A law file: read, or an error of the family that its author must mend, with the file's name."""
    kind, text, read = draw.choice(_LAW)
    if draw.random() < 0.5:
        spoilt = spoil_bytes(draw, [text.encode()]).decode("utf-8", "replace")
    else:
        spoilt = yaml.safe_dump(spoil_tree(draw, json.loads(json.dumps(yaml.safe_load(text), default=str))))
    try:
        read(spoilt)
    except SharingError as error:
        _must(kind in str(error))
    return 1


def _run_cases(text: str) -> None:
    list(run_cases(parse_cases(text, "cases"), LAW, shipped_treaties()))


_LAW: Sequence[tuple[str, str, Callable[[str], object]]] = (
    ("pack", PACK, lambda text: parse_pack(text, "pack", shipped_treaties(), common_rules())),
    ("cases", CASES, _run_cases),
    ("treaties", TREATIES, lambda text: parse_treaties(text, "treaties")),
    ("profile", PROFILE, lambda text: parse_profile(text, "profile")),
    ("directory", sample_directory()[0], lambda text: read_entries(text, "directory")),
)

TARGETS = (
    Target("Avro on the wire", 120, feed_wire),
    Target("batches at the gate", 8, feed_gate),
    Target("notices", 20, feed_notice),
    Target("values", 60, feed_value),
    Target("JSON lines", 24, feed_lines),
    Target("MISP events", 12, feed_misp),
    Target("packs, cases, treaties, profiles, directory", 4, feed_law),
)
