"""The gate's job in Kafka Streams: finds a JDK, compiles `GateStreams.java`, and exports the law as a table.

`python -m tests.bench.peers.streams` resolves the coordinates again and prints the content of `streams.jars`.
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
from sharing.ids import ID_NAMESPACE
from sharing.model.countries import COUNTRIES
from sharing.model.values import VALUE_TYPES
from sharing.serialization.codec import get_codec, get_split_codecs, read_schema_text
from sharing.testing.broker import jars
from sharing.testing.broker.jars import Jar, fetch_jars, find_java
from tests.bench.names import STATE
from tests.bench.peers.record_gate import InputRecord, RecordGate
from tests.bench.workload import TYPES
from tests.relevance.derived_nexus import derive_nexus

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

# In the order of `Fields.extractFacts` in the Java source.
_DIRECT = (
    "action", "type", "form", "collection", "secrecy_domain", "personal_data", "special_category", "purpose",
    "urgency", "enables_request", "live_case_harm", "tlp", "handling", "character",
)  # fmt: skip
_KNOWN = {
    *_DIRECT, "source.authority", "offence.codes", "origin.state", "origin.foreign", "origin.consent",
    "origin.consent_obtainable",    "offence.max_penalty_years", "offence.organised_group", "retention_expired",
}  # fmt: skip


class NoJdkError(Exception):
    """There is no Java compiler, so Kafka Streams is not measured."""


def compile_job(folder: Path = FOLDER) -> list[str]:
    """Compile the job into a folder; return the command that runs it, without its arguments.

    Raises:
        NoJdkError: There is no `javac`.
        KafkaUnavailableError: A JAR could not be fetched.
        subprocess.CalledProcessError: The source does not compile.
    """
    home = os.environ.get("JAVA_HOME")
    javac = shutil.which("javac", path=f"{home}/bin" if home else None) or shutil.which("javac")
    if javac is None:
        raise NoJdkError("there is no javac on this machine: install a JDK, or set JAVA_HOME")
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
    """Write the gate's verdict for each combination of facts that occurs in some records; return the file.

    Raises:
        ValueError: The pack tests a fact that the job does not read, or a record is not from this workload.
    """
    record_gate = RecordGate(bootstrap)
    check_facts(record_gate.fact_names)
    verdicts: dict[str, bytes] = {}
    for key, value in records:
        record = get_codec("indicator").decode(value)
        facts = _render_facts(record)
        if facts not in verdicts:
            verdicts[facts] = _encode_verdict(record_gate.process_record(InputRecord(("", 0, 0), key, value)))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        out.write(_encode_constants())
        out.write(struct.pack(">i", len(verdicts)))
        for facts, verdict in verdicts.items():
            out.write(_encode_text(facts) + verdict)
    return path


def check_facts(fact_names: Iterable[str]) -> None:
    """Check that the job's cache key covers the facts that a pack tests.

    Raises:
        ValueError: A fact is missing.
    """
    missing = {name for name in fact_names if not name.startswith("findings.")} - _KNOWN
    if missing:
        raise ValueError(f"the Kafka Streams job does not read {', '.join(sorted(missing))}: add it there and here")


def _render_facts(record: dict[str, Any]) -> str:
    if record["findings"]:
        raise ValueError("the Kafka Streams job does not support findings; this workload has none")
    derived = derive_nexus(record["type"], record["value"])
    offence, origin = record["offence"], record["origin"]
    nexus = [f"{stated['state']}|{stated['reason']}" for stated in record["nexus"]]
    parts = [
        *(record[name] for name in _DIRECT),
        record["source"]["authority"],
        offence["codes"],
        offence["modus_operandi"],
        offence["max_penalty_years"],
        offence["organised_group"],
        origin["state"],
        origin["consent"],
        origin["consent_obtainable"],
        "NO",  # no retention period in this workload has expired
        "",
        nexus,
        "|".join(derived[0]) if derived else "",
    ]
    return "".join(_render_part(part) + "\n" for part in parts)


def _render_part(part: Any) -> str:
    if isinstance(part, list):
        return "".join(f"{entry}," for entry in part)
    return "null" if part is None else str(part)


def _encode_verdict(outputs: list[OutputRecord]) -> bytes:
    """Return the bytes that follow an item's individual bytes in each of its outputs."""
    decision, draft = b"", b""
    deliveries = []
    for output in outputs:
        kind, value = output.topic.rpartition(".")[2], output.value or b""
        if kind == "decisions":
            decision = _split_record("decision", "state", value)[1]
        elif kind == "drafts":
            draft = _split_record("draft", "amendment", value)[1]
        else:
            deliveries.append(_encode_delivery(output.topic, value))
    return _encode_bytes(decision) + struct.pack(">i", len(deliveries)) + b"".join(deliveries) + _encode_bytes(draft)


def _encode_delivery(topic: str, value: bytes) -> bytes:
    state = topic.split(".")[1].upper()
    is_offer, period_ms = value.startswith(get_codec("offer").header), 0
    if is_offer:
        head, tail = _split_record("offer", "amendment", value)
        period_ms = round((head["expires_at"] - head["sent_at"]).total_seconds() * 1000)
        content, redacted = b"", []
    else:
        head, tail = _split_record("notice", "amendment", value)
        content = _split_record("notice_content", "relevance", head["content"])[1]
        redacted = get_codec("notice").decode(value)["redacted"]
    return b"".join(
        (
            struct.pack(">?", is_offer), _encode_text(topic), _encode_text(state), struct.pack(">q", period_ms),
            _encode_bytes(tail), _encode_bytes(content),
            struct.pack(">i", len(redacted)), *map(_encode_text, redacted),
        )
    )  # fmt: skip


def _split_record(name: str, first_of_tail: str, value: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the decoded head and the bytes of the tail."""
    head, _ = get_split_codecs(name, first_of_tail)
    stream = io.BytesIO(value[len(get_codec(name).header) :])
    record: Any = fastavro.schemaless_reader(stream, head.schema, None)
    return record, stream.read()


def _encode_constants() -> bytes:
    shapes = b"".join(_encode_text(name) + _encode_text(_to_java_pattern(VALUE_TYPES[name].shape)) for name in TYPES)
    countries = sorted(COUNTRIES)
    return b"".join(
        (
            _encode_bytes(read_schema_text("indicator").encode()),
            *(_encode_bytes(get_codec(name).header) for name in _FRAMES),
            _encode_bytes(ID_NAMESPACE.bytes),
            _encode_text(STATE),
            struct.pack(">i", len(countries)), *map(_encode_text, countries),
            struct.pack(">i", len(TYPES)), shapes,
        )
    )  # fmt: skip


def _to_java_pattern(shape: re.Pattern[str]) -> str:
    """Return a pattern in Java's syntax, which differs only in the end of the input."""
    return shape.pattern.replace(r"\Z", r"\z")


def _encode_bytes(data: bytes) -> bytes:
    return struct.pack(">i", len(data)) + data


def _encode_text(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">H", len(data)) + data


def main() -> None:
    """Print the pinned JARs."""
    jars.COORDINATES = COORDINATES  # type: ignore[assignment] # a tuple of another length
    sys.stdout.write("# Generated by: python -m tests.bench.peers.streams\n")
    sys.stdout.writelines(f"{jar} {jar.sha256}\n" for jar in jars.resolve_jars())


if __name__ == "__main__":
    main()
