"""The fuzz targets: each decoder and importer, its seeds, and the invariants that must hold for any input.

A target takes a random generator, generates inputs, runs the code on them, and raises an unexpected error.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import yaml

from processors.gate.gate import Gate, is_conserved
from sharing.errors import DecodeError, InputError, SharingError
from sharing.interop import FileFormat, ImportContext, PublisherIdentity
from sharing.interop.files import read_bytes
from sharing.interop.publishing_profile import parse_profile
from sharing.kafka.directory_topic import parse_entries
from sharing.law.cases import parse_cases
from sharing.law.cases.runs import run_cases
from sharing.law.reading.pack_reader import parse_pack
from sharing.law.reading.treaty_reader import parse_treaties
from sharing.model.values import VALUE_TYPES, normalise_value
from sharing.packs.library import load_common_rules, load_shipped_treaties
from sharing.serialization.codec import SCHEMA_NAMES, get_codec
from sharing.serialization.notice_decoder import decode_notice
from sharing.testing.samples import sample_directory, sample_file, sample_files
from tests.bench.workload import make_indicators
from tests.fuzz.audit_targets import AUDIT_TARGETS
from tests.fuzz.fuzz_target import FuzzTarget
from tests.fuzz.key_file_targets import KEY_FILE_TARGETS
from tests.fuzz.mutation import corrupt_bytes, corrupt_tree
from tests.fuzz.passkey_targets import PASSKEY_TARGETS
from tests.fuzz.ruling_targets import RULING_TARGETS
from tests.fuzz.sealed_targets import SEALED_TARGETS
from tests.fuzz.stix_targets import STIX_TARGETS
from tests.interop.test_accounting import check_result, count_values
from tests.model.indicator_forms import FULL, MINIMAL
from tests.processors.gate.gate_fixtures import DIRECTORY, LAW, NEVER_COLUMNAR, NOW_MS, PACK, Message, make_message

BATCH = 24
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


def _require(condition: object) -> None:
    """Assert that an expected error has the required content."""
    assert condition


@cache
def _make_seed_records() -> dict[str, list[bytes]]:
    """Return valid records of each schema: the input and output records of a batch."""
    items = [Message(value, key) for key, value in make_indicators(40, 0.5)] + [
        make_message(number) for number in range(1, 9)
    ]
    records: dict[str, list[bytes]] = {name: [] for name in SCHEMA_NAMES}
    records["indicator"] = [item.data for item in items if item.data is not None]
    broken = Message(b"no Avro", b"k")
    for output in Gate(LAW, load_shipped_treaties()).process_batch([*items, broken], DIRECTORY, NOW_MS).output_records:
        for name in SCHEMA_NAMES:
            if output.value is not None and output.value.startswith(get_codec(name).header):
                records[name].append(output.value)
                if name == "notice":
                    records["notice_content"].append(get_codec(name).decode(output.value)["content"])
    entries = [get_codec("directory_entry").encode(entry.to_record()) for entry in parse_entries(*sample_directory())]
    return {**records, "directory_entry": entries}


def fuzz_codec(generator: random.Random) -> int:
    """Avro on the wire: decodes to a record that can be encoded again, or raises a DecodeError."""
    name = generator.choice(SCHEMA_NAMES)
    seeds = _make_seed_records()[name]
    if not seeds:
        return 0
    data = (
        corrupt_bytes(generator, seeds) if generator.random() < 0.9 else generator.randbytes(generator.randrange(200))
    )
    try:
        record = get_codec(name).decode(data)
    except DecodeError as error:
        _require(error.cause)
        return 1
    try:
        get_codec(name).encode(record)
    except ValueError as error:  # a negative enum index decodes to another symbol; this must not crash
        _require(name in str(error))
    return 1


def fuzz_gate(generator: random.Random) -> int:
    """A batch at the gate: every record is accounted for, and columnar and single processing give the same output."""
    seeds = _make_seed_records()["indicator"]
    batch = []
    for offset in range(BATCH):
        data = corrupt_bytes(generator, seeds) if generator.random() < 0.5 else generator.choice(seeds)
        key = data[11:47] if generator.random() < 0.9 else generator.randbytes(36)
        batch.append(Message(data, key, offset))
    columnar = Gate(LAW, load_shipped_treaties()).process_batch(batch, DIRECTORY, NOW_MS)
    single = Gate(LAW, load_shipped_treaties(), columnar_min=NEVER_COLUMNAR).process_batch(batch, DIRECTORY, NOW_MS)
    assert is_conserved(batch, columnar)
    assert columnar.output_records == single.output_records
    return BATCH


def fuzz_notice(generator: random.Random) -> int:
    """A record at a subscriber: results in a notice, or raises a DecodeError."""
    try:
        decode_notice(corrupt_bytes(generator, _make_seed_records()["notice"]), "US")
    except DecodeError as error:
        _require(error.cause)
    return 1


def fuzz_jsonl(generator: random.Random) -> int:
    """JSON lines: each line that is not blank is published or listed."""
    trees = [corrupt_tree(generator, generator.choice([MINIMAL, FULL])) for _ in range(generator.randint(1, 4))]
    data = "\n".join(json.dumps(tree) for tree in trees).encode()
    if generator.random() < 0.5:
        data = corrupt_bytes(generator, [data])
    result = _import_or_none(data, FileFormat.JSONL)
    if result is not None:
        check_result(result)
        start = 3 if data.startswith(b"\xef\xbb\xbf") else 0
        assert result.total == sum(bool(line.strip(b" \t\r")) for line in data[start:].split(b"\n"))
    return 1


@cache
def _load_seed_events() -> list[Any]:
    """Return sample events reduced to a few attributes and objects each."""
    events = []
    for name in sample_files():
        event = json.loads(sample_file(name).read_bytes())
        body = event.get("Event", event)
        body["Attribute"] = body.get("Attribute", [])[:3]
        body["Object"] = body.get("Object", [])[:1]
        events.append({"Event": {key: body[key] for key in ("uuid", "Attribute", "Object", "Tag") if key in body}})
    return events


def fuzz_misp(generator: random.Random) -> int:
    """A MISP event: each value in it is published or listed once."""
    event = corrupt_tree(generator, generator.choice(_load_seed_events()))
    data = json.dumps(event).encode()
    if generator.random() < 0.3:
        data = corrupt_bytes(generator, [data])
    result = _import_or_none(data, FileFormat.MISP)
    if result is None:
        return 1
    check_result(result)
    body = json.loads(data.decode("utf-8-sig")).get("Event") if isinstance(event, dict) else None
    if isinstance(body, dict) and all(
        isinstance(body.get(part, []), list) for part in ("Attribute", "Object", "ShadowAttribute", "EventReport")
    ):
        assert result.total == count_values(body)
    return 1


def _make_id(identity: Sequence[str]) -> str:
    return str(uuid.uuid5(uuid.UUID(ID), repr(identity)))


def _import_or_none(data: bytes, file_format: FileFormat) -> Any:
    context = ImportContext(PublisherIdentity("CH", "fuzz"), _make_id, format=file_format)
    try:
        return read_bytes(data, "input", context)
    except InputError as error:
        _require(str(error))
        return None


def fuzz_value(generator: random.Random) -> int:
    """A value of any type: has a stable normal form, or raises an InputError."""
    name = generator.choice(list(VALUE_TYPES))
    seed = VALUE_TYPES[name].example.encode()
    text = corrupt_bytes(generator, [seed, seed, generator.choice(list(VALUE_TYPES.values())).example.encode()])
    try:
        normal = normalise_value(name, text.decode("utf-8", "surrogateescape"))
    except InputError:
        return 1
    assert normalise_value(name, normal) == normal
    return 1


def fuzz_yaml_files(generator: random.Random) -> int:
    """A YAML file: is read, or raises a SharingError with the name of the file."""
    kind, text, read = generator.choice(_YAML_READERS)
    if generator.random() < 0.5:
        corrupt = corrupt_bytes(generator, [text.encode()]).decode("utf-8", "replace")
    else:
        corrupt = yaml.safe_dump(corrupt_tree(generator, json.loads(json.dumps(yaml.safe_load(text), default=str))))
    try:
        read(corrupt)
    except SharingError as error:
        _require(kind in str(error))
    return 1


def _run_cases(text: str) -> None:
    list(run_cases(parse_cases(text, "cases"), LAW, load_shipped_treaties()))


_YAML_READERS: Sequence[tuple[str, str, Callable[[str], object]]] = (
    ("pack", PACK, lambda text: parse_pack(text, "pack", load_shipped_treaties(), load_common_rules())),
    ("cases", CASES, _run_cases),
    ("treaties", TREATIES, lambda text: parse_treaties(text, "treaties")),
    ("profile", PROFILE, lambda text: parse_profile(text, "profile")),
    ("directory", sample_directory()[0], lambda text: parse_entries(text, "directory")),
)

TARGETS = (
    FuzzTarget("Avro on the wire", 120, fuzz_codec),
    FuzzTarget("batches at the gate", 8, fuzz_gate),
    FuzzTarget("notices", 20, fuzz_notice),
    FuzzTarget("values", 60, fuzz_value),
    FuzzTarget("JSON lines", 24, fuzz_jsonl),
    FuzzTarget("MISP events", 12, fuzz_misp),
    FuzzTarget("packs, cases, treaties, profiles, directory", 4, fuzz_yaml_files),
    *STIX_TARGETS,
    *SEALED_TARGETS,
    *AUDIT_TARGETS,
    *KEY_FILE_TARGETS,
    *RULING_TARGETS,
    *PASSKEY_TARGETS,
)
