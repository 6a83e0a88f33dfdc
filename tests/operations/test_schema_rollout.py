"""Rolls out a new schema version under traffic: readers first, then writers. In the other order nothing is lost."""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

import fastavro
import pytest

from sharing.kafka.clients import client_properties, make_producer
from sharing.serialization.codec import SINGLE_OBJECT_MARKER, compute_fingerprint, get_codec, read_schema_text
from sharing.testing.smoke_test import make_test_item
from sharing.topology.topics import INDICATORS
from tests.docs.doc_files import ROOT
from tests.operations.conftest import SmokeTestBus, to_record
from tests.serialization.reference_library import find_incompatibilities, parse_reference_schema

pytestmark = pytest.mark.kafka

INTERVAL_S = 0.02
FIELD = {"name": "laboratory", "type": ["null", "string"], "default": None, "doc": "Who examined it."}
START = "import runpy, sys; sys.path.insert(0, sys.argv[1]); runpy.run_module('processors', run_name='__main__')"


def build_next_schema() -> dict[str, Any]:
    """Return the next version of the indicator schema, with an additional optional field."""
    schema: dict[str, Any] = json.loads(read_schema_text("indicator"))
    schema["fields"].append(FIELD)
    return schema


def build_next_release(folder: Path) -> list[str]:
    """Return the command of a gate of the next release, with its schemas in a folder."""
    shutil.copytree(ROOT / "schemas", folder / "schemas")
    text = json.dumps(build_next_schema(), indent=2)
    for name in ("indicator.avsc", "released/indicator.v2.avsc"):
        (folder / "schemas" / name).write_text(text)
    return [sys.executable, "-c", START, str(folder)]


def encode_with_next_release() -> tuple[str, bytes]:
    """Return the id and the record of an indicator, as a publisher of the next release writes it."""
    item = make_test_item()
    schema = fastavro.parse_schema(build_next_schema(), {})
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, {**to_record(item), "laboratory": "A laboratory"}, strict=True)
    return item["id"], SINGLE_OBJECT_MARKER + compute_fingerprint(schema) + out.getvalue()


def encode_with_this_release() -> tuple[str, bytes]:
    """Return the id and the record of an indicator, as a publisher of this release writes it."""
    item = make_test_item()
    return item["id"], get_codec("indicator").encode(to_record(item))


class Traffic:
    """Writes records of one release at a steady pace, in a thread, until the `with` block ends."""

    def __init__(self, bus: SmokeTestBus, encode: Any) -> None:
        self.ids: list[str] = []
        self._encode = encode
        self._stopping = Event()
        self._producer = make_producer(client_properties(bus.broker.bootstrap, {"acks": "all"}))
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop writing, and wait until everything is confirmed."""
        self._stopping.set()
        self._thread.join(30)
        assert self._producer.flush(30) == 0

    def _run(self) -> None:
        while not self._stopping.wait(INTERVAL_S):
            indicator_id, record = self._encode()
            self._producer.produce(INDICATORS.topic("XA"), record, indicator_id.encode())
            self._producer.poll(0)
            self.ids.append(indicator_id)


def test_the_new_version_is_compatible_in_both_directions() -> None:
    old, new = (
        parse_reference_schema(read_schema_text("indicator")),
        parse_reference_schema(json.dumps(build_next_schema())),
    )
    assert find_incompatibilities(reader=old, writer=new) == find_incompatibilities(reader=new, writer=old) == set()


def test_a_new_version_is_rolled_out_under_traffic(bus: SmokeTestBus, tmp_path: Path) -> None:
    command = build_next_release(tmp_path / "next")
    with Traffic(bus, encode_with_this_release) as old:
        with bus.make_gate("old") as gate:
            gate.wait_until(lambda: bus.count_decisions().total() > 20, poll_s=0.3)
            early = bus.write_record(*encode_with_next_release())  # this writer did not wait for the readers
            gate.wait_until(lambda: bus.count_quarantined().total() == 1, poll_s=0.3)
            assert gate.stop() == 0
        decided = bus.count_decisions().total()
        with bus.make_gate("next", program=command) as gate:
            gate.wait_until(lambda: bus.count_decisions().total() > decided + 20, poll_s=0.3)
            with Traffic(
                bus, encode_with_next_release
            ) as new:  # some agencies write the new version, others the old one
                gate.wait_until(lambda: len(new.ids) > 20 and new.ids[10] in bus.count_decisions(), poll_s=0.3)
            old.stop()
            bus.write_record(*early)  # published again with the same id
            total = len(old.ids) + len(new.ids) + 1
            gate.wait_until(lambda: bus.count_decisions().total() >= total, poll_s=0.3)
            assert gate.stop() == 0
    assert bus.count_decisions() == dict.fromkeys([*old.ids, *new.ids, early[0]], 1)
    assert bus.count_quarantined() == {"UNKNOWN_SCHEMA": 1}
    assert bus.count_notices().total() == total
