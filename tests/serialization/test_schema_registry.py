"""With a Schema Registry: registered ahead, read by anyone, and not missed by what runs when it goes away."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sharing._publisher import Publisher
from sharing._subscriber import Subscriber
from sharing.cli import app
from sharing.errors import DecodeError, InfrastructureError, SettingsError
from sharing.kafka.directory_topic import DirectoryReader, announce
from sharing.model.directory import DirectoryEntry
from sharing.model.indicator import Indicator
from sharing.serialization.codec import codec_of
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing, registry_frame
from sharing.serialization.schema_registry import Registry, open_framing
from sharing.settings import Settings
from sharing.testing.broker import KafkaUnavailableError
from sharing.testing.broker.jars import Jar, fetch_jars, find_java, read_pins
from sharing.testing.broker.kafka import KafkaBroker
from sharing.topology.topics import topics_for
from tests.serialization.apicurio import Apicurio

HERE = Path(__file__).parent
AVRO = Jar("org.apache.avro", "avro", "1.12.0", "1f5fbfff9b7427d6832cc3031a3c81413d3e21d9e2551847d9231c28493f9492")
ITEM = {
    "type": "domain-name", "value": "malware.example.org", "form": "INFORMATION", "source": {"authority": "POLICE"},
    "offence": {"codes": ["ILLEGAL_ACCESS"]}, "collection": "OPEN_SOURCE", "secrecy_domain": False,
    "personal_data": False, "live_case_harm": False, "character": [], "purpose": "DETECTION",
    "nexus": [{"state": "NL", "reason": "hosted there"}],
}  # fmt: skip
FRAMED = Framing({"indicator": registry_frame(7)}, {registry_frame(7): codec_of("indicator").header})
BARE = codec_of("indicator").encode_bare(
    Indicator.read({**ITEM, "id": "018f3c1e-7b1a-7c3d-8e2f-0123456789ab", "source": {"state": "CH", "agency": "a"}})
    .to_wire()
)  # fmt: skip


def test_a_registrys_frame_is_read_as_the_schema_that_it_names() -> None:
    framed = FRAMED.frame("indicator", BARE)
    assert framed[:5] == b"\x00\x00\x00\x00\x07"
    assert FRAMED.unframe(framed) == codec_of("indicator").header + BARE


def test_single_object_encoding_is_read_alike() -> None:
    single = SINGLE_OBJECT_FRAMING.frame("indicator", BARE)
    assert FRAMED.unframe(single) == SINGLE_OBJECT_FRAMING.unframe(single) == single
    assert FRAMED.unframe(None) is None


@pytest.mark.parametrize("value", [b"", b"\x00", b"\x00\x00\x00", registry_frame(8) + BARE, b"\xc3\x01"])
def test_an_unknown_frame_is_refused_and_says_what_to_do(value: bytes) -> None:
    with pytest.raises(DecodeError) as raised:
        codec_of("indicator").decode(FRAMED.unframe(value))
    if value[:1] == b"\x00":
        assert "SHARING_REGISTRY" in str(raised.value)


def test_without_a_registry_nothing_is_asked() -> None:
    assert open_framing(Settings(), "CH") is SINGLE_OBJECT_FRAMING


def test_a_registry_that_does_not_answer_stops_a_start_with_one_sentence() -> None:
    with pytest.raises(InfrastructureError, match=r"does not answer at http://127\.0\.0\.1:1 .*; start it, or unset"):
        open_framing(Settings(registry="http://127.0.0.1:1"), "CH")


def test_what_is_no_url_is_a_setting_to_mend() -> None:
    with pytest.raises(SettingsError, match="SHARING_REGISTRY"):
        Registry("no url")


@pytest.fixture(scope="module")
def apicurio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apicurio]:
    """A real registry. Where it cannot be had, its tests skip; with CI=true they fail."""
    registry = Apicurio(tmp_path_factory.mktemp("apicurio"))
    try:
        registry.start()
    except KafkaUnavailableError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    yield registry
    registry.stop()


def ask(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 our own address
        return json.load(answer)


def test_every_subject_is_fully_and_transitively_compatible(apicurio: Apicurio) -> None:
    registry = Registry(apicurio.url)
    topics = topics_for(["XA"], 1).values()
    first = registry.register(topics)
    assert {one.kind for one in first} == {"registered"}
    assert {one.kind for one in registry.register(topics)} == {"same"}
    for one in first:
        assert ask(f"{apicurio.url}/config/{one.subject}")["compatibilityLevel"] == "FULL_TRANSITIVE"


def test_an_incompatible_schema_is_refused(apicurio: Apicurio) -> None:
    registry = Registry(apicurio.url)
    registry.register(topics_for(["XB"], 1).values())
    broken = json.loads(codec_of("notice").text)
    broken["fields"] = [field for field in broken["fields"] if field["name"] != "content"]
    with pytest.raises(InfrastructureError, match=r"refuses exchange\.xb\.notices-value"):
        registry._ask(lambda: registry._client.register_schema(
            "exchange.xb.notices-value", registry_schema(json.dumps(broken))), "exchange.xb.notices-value",
        )  # fmt: skip


def registry_schema(text: str) -> Any:
    from confluent_kafka.schema_registry import Schema

    return Schema(text, "AVRO")


def test_a_schema_that_is_not_registered_is_an_error_with_its_remedy(apicurio: Apicurio) -> None:
    with pytest.raises(InfrastructureError, match="`sharing topics apply` registers schemas"):
        Registry(apicurio.url).framing("FR")


@pytest.mark.kafka
def test_the_bus_runs_with_a_registry_and_without_it_when_it_goes(
    fresh_kafka: KafkaBroker, apicurio: Apicurio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap = fresh_kafka.bootstrap
    monkeypatch.setenv("SHARING_REGISTRY", apicurio.url)
    applied = CliRunner().invoke(app, ["topics", "apply", "--states", "CH,NL", "--bootstrap", bootstrap])
    assert applied.exit_code == 0, applied.output
    framing = open_framing(Settings(), "CH")
    entry = {"state": "NL", "announced_at": "2026-01-01T00:00:00Z", "authority": {"name": "n", "kind": "POLICE"}}
    announce(bootstrap, DirectoryEntry.read(entry), framing=framing)
    reader = DirectoryReader(bootstrap, framing=framing)
    assert set(reader.read_to_end().entries) == {"NL"}
    reader.close()

    environment = {**os.environ, "SHARING_STATE": "CH", "SHARING_BOOTSTRAP": bootstrap}
    with (tmp_path / "gate.log").open("wb") as log:
        gate = subprocess.Popen([sys.executable, "-m", "processors"], env=environment, stderr=log)
    try:
        with Publisher(bootstrap, "CH", "fedpol", framing=framing) as publisher:
            publisher.publish(ITEM)
        with Publisher(bootstrap, "CH", "fedpol") as publisher:  # single-object encoding beside it
            publisher.publish({**ITEM, "value": "other.example.org"})
        received = receive(bootstrap, framing, 2)
        assert {notice.content["value"] for notice in received} == {"malware.example.org", "other.example.org"}
        check_independent_readers(bootstrap, apicurio.url, tmp_path, received[0].indicator_id)
        apicurio.stop()
        with Publisher(bootstrap, "CH", "fedpol", framing=framing) as publisher:
            publisher.publish({**ITEM, "value": "third.example.org"})
        assert [notice.content["value"] for notice in receive(bootstrap, framing, 1)] == ["third.example.org"]
        assert gate.poll() is None
    finally:
        gate.terminate()
        gate.wait(40)


def receive(bootstrap: str, framing: Framing, count: int) -> list[Any]:
    """Return so many notices to the Netherlands, each taken as received."""
    found: list[Any] = []
    subscriber = Subscriber(bootstrap, "NL", framing=framing)

    def take(notice: Any) -> None:
        found.append(notice)
        if len(found) == count:
            subscriber.close()

    subscriber.run(take)
    return found


def check_independent_readers(bootstrap: str, url: str, folder: Path, indicator_id: str) -> None:
    """Read a notice with Confluent's Python deserializer and with Java's clients: neither knows this project."""
    arguments = [bootstrap, url, "exchange.nl.notices"]
    script = [sys.executable, "-I", str(HERE / "confluent_reader.py"), *arguments]
    said = subprocess.run(script, check=True, capture_output=True, timeout=60).stdout
    record = json.loads(said)
    assert (record["from_state"], record["to_state"]) == ("CH", "NL")
    javac = shutil.which("javac")
    if javac is None:
        return  # no JDK here: the Python reader has shown it
    path = os.pathsep.join(map(str, fetch_jars(lambda _: None, (*read_pins(), AVRO))))
    compile_it = [javac, "--release", "17", "-cp", path, "-d", str(folder), str(HERE / "ReadNotice.java")]
    subprocess.run(compile_it, check=True, timeout=120)
    run_it = [str(find_java()), "-cp", f"{folder}{os.pathsep}{path}", "ReadNotice", *arguments]
    printed = subprocess.run(run_it, check=True, capture_output=True, timeout=60, text=True).stdout
    assert '"from_state": "CH"' in printed
    assert indicator_id in printed or '"to_state": "NL"' in printed
