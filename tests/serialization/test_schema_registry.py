"""The Schema Registry: registration, reading by independent clients, and outages of the registry."""

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

from sharing.cli import app
from sharing.clients.publisher import Publisher
from sharing.clients.subscriber import Subscriber
from sharing.errors import DecodeError, InfrastructureError, SettingsError
from sharing.kafka.directory_reader import DirectoryReader
from sharing.kafka.directory_topic import announce_entry
from sharing.model.directory import DirectoryEntry
from sharing.model.indicator import Indicator
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing, make_registry_header
from sharing.serialization.schema_registry import (
    RegistryAccess,
    SchemaRegistry,
    load_framing,
    load_registry_access,
    registry_framing,
)
from sharing.settings import Settings
from sharing.testing.broker import KafkaUnavailableError
from sharing.testing.broker.jars import Jar, fetch_jars, find_java, read_pinned_jars
from sharing.testing.broker.kafka import KafkaBroker
from sharing.topology.topics import list_topics
from tests.serialization.apicurio import Apicurio

HERE = Path(__file__).parent
AVRO = Jar("org.apache.avro", "avro", "1.12.0", "1f5fbfff9b7427d6832cc3031a3c81413d3e21d9e2551847d9231c28493f9492")
ITEM = {
    "type": "domain-name", "value": "malware.example.org", "form": "INFORMATION", "source": {"authority": "POLICE"},
    "offence": {"codes": ["ILLEGAL_ACCESS"]}, "collection": "OPEN_SOURCE", "secrecy_domain": False,
    "personal_data": False, "live_case_harm": False, "character": [], "purpose": "DETECTION",
    "nexus": [{"state": "NL", "reason": "hosted there"}],
}  # fmt: skip
FRAMED = Framing({"indicator": make_registry_header(7)}, {make_registry_header(7): get_codec("indicator").header})
BARE = get_codec("indicator").encode_unframed(
    Indicator.parse({**ITEM, "id": "018f3c1e-7b1a-7c3d-8e2f-0123456789ab", "source": {"state": "CH", "agency": "a"}})
    .to_record()
)  # fmt: skip


def test_a_registry_header_is_replaced_by_the_header_of_the_same_schema() -> None:
    framed = FRAMED.frame("indicator", BARE)
    assert framed[:5] == b"\x00\x00\x00\x00\x07"
    assert FRAMED.to_single_object(framed) == get_codec("indicator").header + BARE


def test_single_object_encoding_is_unchanged() -> None:
    single = SINGLE_OBJECT_FRAMING.frame("indicator", BARE)
    assert FRAMED.to_single_object(single) == SINGLE_OBJECT_FRAMING.to_single_object(single) == single
    assert FRAMED.to_single_object(None) is None


@pytest.mark.parametrize("value", [b"", b"\x00", b"\x00\x00\x00", make_registry_header(8) + BARE, b"\xc3\x01"])
def test_an_unknown_header_is_refused_with_the_remedy(value: bytes) -> None:
    with pytest.raises(DecodeError) as raised:
        get_codec("indicator").decode(FRAMED.to_single_object(value))
    if value[:1] == b"\x00":
        assert "SHARING_REGISTRY" in str(raised.value)


def test_without_a_registry_records_use_single_object_encoding() -> None:
    assert load_framing(Settings(), "CH") is SINGLE_OBJECT_FRAMING


def test_a_registry_that_does_not_respond_is_an_error_with_its_remedy() -> None:
    with pytest.raises(InfrastructureError, match=r"at http://127\.0\.0\.1:1 does not respond .*; start it, or unset"):
        load_framing(Settings(registry="http://127.0.0.1:1"), "CH")


def test_an_invalid_url_is_a_settings_error() -> None:
    with pytest.raises(SettingsError, match="SHARING_REGISTRY"):
        SchemaRegistry("no url")


def test_a_password_is_not_sent_without_tls() -> None:
    with pytest.raises(SettingsError, match="must begin with https:// if a user is configured"):
        SchemaRegistry("http://registry.example.org", RegistryAccess("reader", "secret"))
    with pytest.raises(SettingsError, match="must begin with https://"):
        registry_framing("http://registry.example.org", "CH", user="reader", password="secret")  # noqa: S106
    assert "secret" not in repr(RegistryAccess("reader", "secret"))


def test_the_password_of_the_settings_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("s3cret\n")
    settings = Settings(registry_user="reader", registry_password_file=file, registry_ca=tmp_path / "ca.pem")
    assert load_registry_access(settings).client_properties() == {
        "basic.auth.user.info": "reader:s3cret",
        "ssl.ca.location": str(tmp_path / "ca.pem"),
    }
    assert load_registry_access(Settings()).client_properties() == {}


def test_wrong_settings_of_a_password_are_errors(tmp_path: Path) -> None:
    for settings in (Settings(registry_user="reader"), Settings(registry_password_file=tmp_path / "password")):
        with pytest.raises(SettingsError, match="set both SHARING_REGISTRY_USER and SHARING_REGISTRY_PASSWORD_FILE"):
            load_registry_access(settings)
    settings = Settings(registry_user="reader", registry_password_file=tmp_path / "password")
    with pytest.raises(SettingsError, match=r"password, which cannot be read: No such file"):
        load_registry_access(settings)


@pytest.fixture(scope="module")
def apicurio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apicurio]:
    """A real registry. Tests are skipped if it cannot be downloaded; with CI=true they fail."""
    registry = Apicurio(tmp_path_factory.mktemp("apicurio"))
    try:
        registry.start()
    except KafkaUnavailableError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    yield registry
    registry.stop()


def fetch_json(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=60) as response:  # noqa: S310 local address
        return json.load(response)


def test_every_subject_is_fully_and_transitively_compatible(apicurio: Apicurio) -> None:
    registry = SchemaRegistry(apicurio.url)
    topics = list_topics(["XA"], 1).values()
    first = registry.register_schemas(topics)
    assert {registration.kind for registration in first} == {"registered"}
    assert {registration.kind for registration in registry.register_schemas(topics)} == {"same"}
    for registration in first:
        assert fetch_json(f"{apicurio.url}/config/{registration.subject}")["compatibilityLevel"] == "FULL_TRANSITIVE"


def test_without_a_state_the_framing_of_the_directory_is_that_of_any_state(
    apicurio: Apicurio, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = SchemaRegistry(apicurio.url)
    registry.register_schemas(list_topics(["XA"], 1).values())
    of_state = registry.fetch_framing("XA")
    of_directory = registry.fetch_framing(None)
    assert of_directory.written_headers == {"directory_entry": of_state.written_headers["directory_entry"]}
    assert set(of_directory.known_headers) == set(of_directory.written_headers.values())
    monkeypatch.setattr(registry._client, "get_subjects", lambda: ["exchange.xa.notices-value"])
    with pytest.raises(InfrastructureError, match=r"no schema of the directory .*`sharing topics apply`"):
        registry.fetch_framing(None)


def test_an_incompatible_schema_is_refused(apicurio: Apicurio) -> None:
    registry = SchemaRegistry(apicurio.url)
    registry.register_schemas(list_topics(["XB"], 1).values())
    broken = json.loads(get_codec("notice").schema_json)
    broken["fields"] = [field for field in broken["fields"] if field["name"] != "content"]
    with pytest.raises(InfrastructureError, match=r"refused exchange\.xb\.notices-value"):
        registry._request(lambda: registry._client.register_schema(
            "exchange.xb.notices-value", make_avro_schema(json.dumps(broken))), "exchange.xb.notices-value",
        )  # fmt: skip


def make_avro_schema(text: str) -> Any:
    from confluent_kafka.schema_registry import Schema

    return Schema(text, "AVRO")


def test_a_schema_that_is_not_registered_is_an_error_with_its_remedy(apicurio: Apicurio) -> None:
    with pytest.raises(InfrastructureError, match="`sharing topics apply` registers schemas"):
        SchemaRegistry(apicurio.url).fetch_framing("FR")


@pytest.mark.kafka
def test_the_bus_works_with_a_registry_and_continues_during_its_outage(
    fresh_kafka: KafkaBroker, apicurio: Apicurio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap = fresh_kafka.bootstrap
    monkeypatch.setenv("SHARING_REGISTRY", apicurio.url)
    applied = CliRunner().invoke(app, ["topics", "apply", "--states", "CH,NL", "--bootstrap", bootstrap])
    assert applied.exit_code == 0, applied.output
    framing = load_framing(Settings(), "CH")
    entry = {"state": "NL", "announced_at": "2026-01-01T00:00:00Z", "authorities": [{"name": "n", "kind": "POLICE"}]}
    announce_entry(bootstrap, DirectoryEntry.parse(entry), framing=framing)
    reader = DirectoryReader(bootstrap, framing=framing)
    assert set(reader.read_to_end().entries) == {"NL"}
    reader.close()

    environment = {**os.environ, "SHARING_STATE": "CH", "SHARING_BOOTSTRAP": bootstrap}
    with (tmp_path / "gate.log").open("wb") as log:
        gate = subprocess.Popen([sys.executable, "-m", "processors"], env=environment, stderr=log)
    try:
        with Publisher(bootstrap, "CH", "fedpol", framing=framing) as publisher:
            publisher.publish(ITEM)
        with Publisher(bootstrap, "CH", "fedpol") as publisher:  # single-object encoding on the same topic
            publisher.publish({**ITEM, "value": "other.example.org"})
        received = receive_notices(bootstrap, framing, 2)
        assert {notice.content["value"] for notice in received} == {"malware.example.org", "other.example.org"}
        read_with_independent_clients(bootstrap, apicurio.url, tmp_path, received[0].indicator_id)
        apicurio.stop()
        with Publisher(bootstrap, "CH", "fedpol", framing=framing) as publisher:
            publisher.publish({**ITEM, "value": "third.example.org"})
        assert [notice.content["value"] for notice in receive_notices(bootstrap, framing, 1)] == ["third.example.org"]
        assert gate.poll() is None
    finally:
        gate.terminate()
        gate.wait(240)


def receive_notices(bootstrap: str, framing: Framing, count: int) -> list[Any]:
    """Receive this number of notices to the Netherlands, and commit them."""
    notices: list[Any] = []
    subscriber = Subscriber(bootstrap, "NL", framing=framing)

    def handle(notice: Any) -> None:
        notices.append(notice)
        if len(notices) == count:
            subscriber.close()

    subscriber.run(handle)
    return notices


def read_with_independent_clients(bootstrap: str, url: str, folder: Path, indicator_id: str) -> None:
    """Read a notice with Confluent's Python deserializer and with Java clients, without any code of this project."""
    arguments = [bootstrap, url, "exchange.nl.notices"]
    script = [sys.executable, "-I", str(HERE / "confluent_reader.py"), *arguments]
    output = subprocess.run(script, check=True, stdout=subprocess.PIPE, timeout=240).stdout
    record = json.loads(output)
    assert (record["from_state"], record["to_state"]) == ("CH", "NL")
    javac = shutil.which("javac")
    if javac is None:
        return  # without a JDK, only the Python reader is tested
    path = os.pathsep.join(map(str, fetch_jars(lambda _: None, (*read_pinned_jars(), AVRO))))
    compile_command = [javac, "--release", "17", "-cp", path, "-d", str(folder), str(HERE / "ReadNotice.java")]
    subprocess.run(compile_command, check=True, timeout=120)
    run_command = [str(find_java()), "-cp", f"{folder}{os.pathsep}{path}", "ReadNotice", *arguments]
    printed = subprocess.run(run_command, check=True, capture_output=True, timeout=240, text=True).stdout
    assert '"from_state": "CH"' in printed
    assert indicator_id in printed or '"to_state": "NL"' in printed
