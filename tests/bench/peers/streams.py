"""The gate's job in Kafka Streams: finds a JDK, compiles `GateStreams.java`, and exports the law as a table.

`python -m tests.bench.peers.streams` resolves the coordinates anew and prints what belongs into `streams.jars`.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import fastavro

from processors.exactly_once.batch import OutputRecord
from sharing.ids import NAMESPACE
from sharing.model.countries import COUNTRIES
from sharing.model.values import VALUE_TYPES
from sharing.relevance.nexus import derive_nexus
from sharing.serialization.codec import codec_of, schema_text, split_codec_of
from sharing.testing.broker import jars
from sharing.testing.broker.jars import Jar, fetch_jars, find_java
from tests.bench.names import STATE
from tests.bench.peers.step import Given, Step
from tests.bench.workload import TYPES

COORDINATES = (
    "org.apache.kafka:kafka-streams:4.4.0",
    "org.apache.avro:avro:1.12.0",
    "com.googlecode.libphonenumber:libphonenumber:9.0.18",
    "org.slf4j:slf4j-simple:1.7.36",
)
SOURCE_FILE = Path(__file__).with_name("GateStreams.java")
FOLDER = Path("build/bench/streams")

_PINS = Path(__file__).with_name("streams.jars")
_FRAMES = ("indicator", "decision", "notice", "notice_content", "offer", "draft")

# In the order of `Fields.facts` in the Java source.
_DIRECT = (
    "action", "type", "form", "collection", "secrecy_domain", "personal_data", "special_category", "purpose",
    "urgency", "enables_request", "live_case_harm", "tlp", "handling", "character",
)  # fmt: skip
_KNOWN = {
    *_DIRECT, "source.authority", "offence.codes", "origin.state", "origin.foreign", "origin.consent",
    "retention_expired",
}  # fmt: skip


class NoJdkError(Exception):
    """There is no Java compiler, so this peer is not measured."""


def compile_job(folder: Path = FOLDER) -> list[str]:
    """Return the command that runs the job, but for its arguments; the classes go into a folder.

    Raises:
        NoJdkError: There is no `javac`.
        KafkaUnavailableError: A JAR cannot be had.
        subprocess.CalledProcessError: The source does not compile.
    """
    home = os.environ.get("JAVA_HOME")
    javac = shutil.which("javac", path=f"{home}/bin" if home else None) or shutil.which("javac")
    if javac is None:
        raise NoJdkError("no javac on this machine: install a JDK, or set JAVA_HOME")
    pins = [line.split() for line in _PINS.read_text(encoding="ascii").splitlines() if not line.startswith("#")]
    files = fetch_jars(lambda text: None, tuple(Jar(*f"{name}:{sha256}".split(":")) for name, sha256 in pins))
    path = os.pathsep.join(map(str, files))
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([javac, "--release", "17", "-cp", path, "-d", str(folder), str(SOURCE_FILE)], check=True)
    return [
        str(find_java()),
        "-cp",
        os.pathsep.join([str(folder), path]),
        "-Xmx2g",
        "-XX:+UseParallelGC",
        "--enable-native-access=ALL-UNNAMED",
        "--sun-misc-unsafe-memory-access=allow",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
        "GateStreams",
    ]


def export_law(bootstrap: str, records: Iterable[tuple[bytes, bytes]], path: Path = FOLDER / "law.bin") -> Path:
    """Write what the gate says of each combination of facts that occurs in some records; return the file.

    Raises:
        ValueError: The pack asks for a fact that the job does not look at, or a record is not of this workload.
    """
    step = Step(bootstrap)
    check_facts(step.reads)
    verdicts: dict[str, bytes] = {}
    for key, value in records:
        record = codec_of("indicator").decode(value)
        facts = _facts_of(record)
        if facts not in verdicts:
            verdicts[facts] = _verdict(step.outputs(Given(("", 0, 0), key, value)))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        out.write(_constants())
        out.write(struct.pack(">i", len(verdicts)))
        for facts, verdict in verdicts.items():
            out.write(_utf(facts) + verdict)
    return path


def check_facts(reads: Iterable[str]) -> None:
    """Return when the job's key covers what a pack reads.

    Raises:
        ValueError: It does not.
    """
    missing = {name for name in reads if not name.startswith("findings.")} - _KNOWN
    if missing:
        raise ValueError(f"the Kafka Streams job does not look at {', '.join(sorted(missing))}: add it there and here")


def _facts_of(record: dict[str, Any]) -> str:
    if record["findings"]:
        raise ValueError("the Kafka Streams job takes no findings; this workload has none")
    derived = derive_nexus(record["type"], record["value"])
    offence, origin = record["offence"], record["origin"]
    nexus = [f"{each['state']}|{each['reason']}" for each in record["nexus"]]
    parts = [
        *(record[name] for name in _DIRECT),
        record["source"]["authority"],
        offence["codes"],
        offence["modus_operandi"],
        origin["state"],
        origin["consent"],
        "NO",  # nothing in this workload has outlived its retention
        "",
        nexus,
        "|".join(derived[0]) if derived else "",
    ]
    return "".join(_text(part) + "\n" for part in parts)


def _text(part: Any) -> str:
    if isinstance(part, list):
        return "".join(f"{entry}," for entry in part)
    return "null" if part is None else str(part)


def _verdict(outputs: list[OutputRecord]) -> bytes:
    """Return what follows an item's own bytes in each of its outputs."""
    decision, draft = b"", b""
    deliveries = []
    for output in outputs:
        kind, value = output.topic.rpartition(".")[2], output.value or b""
        if kind == "decisions":
            decision = _split("decision", "state", value)[1]
        elif kind == "drafts":
            draft = _split("draft", "action", value)[1]
        else:
            deliveries.append(_delivery(output.topic, kind, value))
    return _bytes(decision) + struct.pack(">i", len(deliveries)) + b"".join(deliveries) + _bytes(draft)


def _delivery(topic: str, kind: str, value: bytes) -> bytes:
    state = topic.split(".")[1].upper()
    if kind == "offers":
        tail, content, redacted = _split("offer", "from_state", value)[1], b"", []
    else:
        head, tail = _split("notice", "kind", value)
        content = _split("notice_content", "relevance", head["content"])[1]
        redacted = codec_of("notice").decode(value)["redacted"]
    return b"".join(
        (
            struct.pack(">?", kind == "offers"), _utf(topic), _utf(state), _bytes(tail), _bytes(content),
            struct.pack(">i", len(redacted)), *map(_utf, redacted),
        )
    )  # fmt: skip


def _split(name: str, first_of_tail: str, value: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the head's record and the tail's bytes."""
    head, _ = split_codec_of(name, first_of_tail)
    stream = io.BytesIO(value[len(codec_of(name).header) :])
    record: Any = fastavro.schemaless_reader(stream, head.schema, None)
    return record, stream.read()


def _constants() -> bytes:
    shapes = b"".join(_utf(name) + _utf(_java(VALUE_TYPES[name].shape)) for name in TYPES)
    countries = sorted(COUNTRIES)
    return b"".join(
        (
            _bytes(schema_text("indicator").encode()),
            *(_bytes(codec_of(name).header) for name in _FRAMES),
            _bytes(NAMESPACE.bytes),
            _utf(STATE),
            struct.pack(">i", len(countries)), *map(_utf, countries),
            struct.pack(">i", len(TYPES)), shapes,
            # No seal and no signature: a text NONE, no key, no bytes.
            _bytes(b"\x08NONE\x00\x00"), _bytes(b"\x08NONE\x00\x00"),
        )
    )  # fmt: skip


def _java(shape: re.Pattern[str]) -> str:
    """Return a pattern as Java writes it: the same, but for the end of the input."""
    return shape.pattern.replace(r"\Z", r"\z")


def _bytes(data: bytes) -> bytes:
    return struct.pack(">i", len(data)) + data


def _utf(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">H", len(data)) + data


def main() -> None:
    """Print the pins."""
    jars.COORDINATES = COORDINATES  # type: ignore[assignment] # as many as are asked for
    sys.stdout.write("# Made by: python -m tests.bench.peers.streams\n")
    sys.stdout.writelines(f"{jar} {jar.sha256}\n" for jar in jars.resolve_pins())


if __name__ == "__main__":
    main()
