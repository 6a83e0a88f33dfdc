"""A new version of a schema while traffic runs: readers first, then writers; the other way round nothing is lost."""

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
from sharing.serialization.codec import SINGLE_OBJECT, codec_of, fingerprint_of, schema_text
from sharing.testing.smoke_test import marked_item
from sharing.topology.topics import INDICATORS
from tests.docs.doc_files import ROOT
from tests.operations.conftest import Bus, wire
from tests.serialization.test_codec import incompatibilities, reference

pytestmark = pytest.mark.kafka

PACE_S = 0.02
FIELD = {"name": "laboratory", "type": ["null", "string"], "default": None, "doc": "Who examined it."}
START = "import runpy, sys; sys.path.insert(0, sys.argv[1]); runpy.run_module('processors', run_name='__main__')"


def next_schema() -> dict[str, Any]:
    """Return the next version of the indicator: one more field, which may be left out."""
    schema: dict[str, Any] = json.loads(schema_text("indicator"))
    schema["fields"].append(FIELD)
    return schema


def next_release(folder: Path) -> list[str]:
    """Return the program of a gate of the next release, whose schemas lie in a folder."""
    shutil.copytree(ROOT / "schemas", folder / "schemas")
    text = json.dumps(next_schema(), indent=2)
    for place in ("indicator.avsc", "released/indicator.v2.avsc"):
        (folder / "schemas" / place).write_text(text)
    return [sys.executable, "-c", START, str(folder)]


def encode_next() -> tuple[str, bytes]:
    """Return an item of a publisher of the next release: its id, and the record."""
    item = marked_item()
    schema = fastavro.parse_schema(next_schema(), {})
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, {**wire(item), "laboratory": "A laboratory"}, strict=True)
    return item["id"], SINGLE_OBJECT + fingerprint_of(schema) + out.getvalue()


def encode_now() -> tuple[str, bytes]:
    """Return an item of a publisher of this release."""
    item = marked_item()
    return item["id"], codec_of("indicator").encode(wire(item))


class Traffic:
    """Writes records of one release in a thread, at a steady pace, until the block ends."""

    def __init__(self, bus: Bus, make: Any) -> None:
        self.ids: list[str] = []
        self._make = make
        self._end = Event()
        self._producer = make_producer(client_properties(bus.broker.bootstrap, {"acks": "all"}))
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Stop, and see everything confirmed."""
        self._end.set()
        self._thread.join(30)
        assert self._producer.flush(30) == 0

    def _run(self) -> None:
        while not self._end.wait(PACE_S):
            identity, record = self._make()
            self._producer.produce(INDICATORS.topic("XA"), record, identity.encode())
            self._producer.poll(0)
            self.ids.append(identity)


def test_the_new_version_is_compatible_both_ways() -> None:
    old, new = reference(schema_text("indicator")), reference(json.dumps(next_schema()))
    assert incompatibilities(reader=old, writer=new) == incompatibilities(reader=new, writer=old) == set()


def test_a_new_version_while_traffic_runs(bus: Bus, tmp_path: Path) -> None:
    program = next_release(tmp_path / "next")
    with Traffic(bus, encode_now) as old:
        with bus.gate("old") as gate:
            gate.wait_until(lambda: bus.decisions().total() > 20, every_s=0.3)
            early = bus.write(*encode_next())  # a writer that did not wait for the readers
            gate.wait_until(lambda: bus.quarantined().total() == 1, every_s=0.3)
            assert gate.stop() == 0
        seen = bus.decisions().total()
        with bus.gate("next", program=program) as gate:
            gate.wait_until(lambda: bus.decisions().total() > seen + 20, every_s=0.3)
            with Traffic(bus, encode_next) as new:  # some agencies write the new version, others still the old one
                gate.wait_until(lambda: len(new.ids) > 20 and new.ids[10] in bus.decisions(), every_s=0.3)
            old.end()
            bus.write(*early)  # published anew, under the same id
            total = len(old.ids) + len(new.ids) + 1
            gate.wait_until(lambda: bus.decisions().total() >= total, every_s=0.3)
            assert gate.stop() == 0
    assert bus.decisions() == dict.fromkeys([*old.ids, *new.ids, early[0]], 1)
    assert bus.quarantined() == {"UNKNOWN_SCHEMA": 1}
    assert bus.notices().total() == total
