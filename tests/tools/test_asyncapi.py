"""The AsyncAPI document is what its sources make, AsyncAPI's parser accepts it, and it says what a cluster permits."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import fastavro
import pytest
import yaml

from sharing.serialization.cloud_events import EventHeaders
from sharing.serialization.codec import HEADER_LENGTH, codec_of
from sharing.testing.demo.scenario import telling_cases
from sharing.tools.asyncapi import WITH_HEADERS, document, main, render
from sharing.topology.acls import Operation, Principal, operations_on
from sharing.topology.topics import TABLE, Role, TopicScope
from tests.docs.doc_files import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGE = ROOT / "docs" / "asyncapi.yaml"
TOOL = ROOT / "tests" / "asyncapi"
NPM_SECONDS_MAX = 300
WRONG = {
    "action": ("action: send", "action: write", "asyncapi-document-resolved"),
    "channel": ("#/channels/decisions'", "#/channels/decision'", "invalid-ref"),
    "avro": ("type: enum", "type: enumeration", "asyncapi-document-resolved"),
    "parameter": ("/parameters/agency'", "/parameters/agent'", "invalid-ref"),
}
"""What is replaced by what, and what the parser says then."""
ACTIONS = {"send": Operation.WRITE, "receive": Operation.READ}


def test_the_document_is_what_its_sources_make(tmp_path: Path) -> None:
    made = tmp_path / "asyncapi.yaml"
    assert main([str(made)]) == 0
    assert made.read_bytes() == PAGE.read_bytes(), "run `make asyncapi`"


def test_wrong_usage_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert main([str(tmp_path)]) == 2
    assert "usage:" in capsys.readouterr().err


@pytest.fixture(scope="module")
def modules() -> str:
    """The folder with AsyncAPI's parser; installed once into build/, from the versions that tests/asyncapi pins."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not both installed: AsyncAPI's parser cannot be run")
    home = ROOT / "build" / "asyncapi"
    pinned = (TOOL / "package.json").read_text()
    done = home / "installed.json"
    if not done.exists() or done.read_text() != pinned:
        home.mkdir(parents=True, exist_ok=True)
        (home / "package.json").write_text(pinned)
        flags = ["--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        command = [npm, "install", *flags, f"--prefix={home}"]
        try:
            ran = subprocess.run(command, capture_output=True, text=True, timeout=NPM_SECONDS_MAX, check=False)
            failed = ran.stderr[-2000:] if ran.returncode else ""
        except subprocess.TimeoutExpired:
            failed = f"npm was not done within {NPM_SECONDS_MAX} s"
        if failed:
            if os.environ.get("CI") == "true":
                pytest.fail(f"AsyncAPI's parser cannot be installed: {failed}")
            pytest.skip(f"AsyncAPI's parser cannot be installed: {failed}")
        done.write_text(pinned)
    return str(home / "node_modules")


@pytest.fixture(scope="module")
def found(modules: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What AsyncAPI's parser says of the document, and of some that are wrong; the parser takes seconds to start."""
    folder, text = tmp_path_factory.mktemp("asyncapi"), render()
    files = {"": PAGE}
    for name, (before, after, _) in WRONG.items():
        assert before in text
        files[name] = folder / f"{name}.yaml"
        files[name].write_text(text.replace(before, after))
    command = ["node", str(TOOL / "validate.cjs"), modules, *map(str, files.values())]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert ran.returncode == 0, ran.stderr
    return dict(zip(files, json.loads(ran.stdout), strict=True))


def test_asyncapis_own_parser_accepts_it_and_reads_the_avro_schemas(found: dict[str, dict[str, Any]]) -> None:
    assert found[""]["diagnostics"] == []
    by_id = {operation["id"]: operation for operation in found[""]["operations"]}
    assert by_id.keys() == document()["operations"].keys()
    publish = by_id["agencySendsIndicatorsByAgency"]
    assert publish["channel"] == "national.{state}.indicators.{agency}"
    assert set(publish["fields"]) == {field["name"] for field in codec_of("indicator").schema["fields"]}
    assert "ce_id" in publish["headers"]
    assert by_id["consoleReceivesDecisions"]["headers"] == []


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_document_is_refused(name: str, found: dict[str, dict[str, Any]]) -> None:
    """So that the test above means something."""
    assert not found[name]["valid"]
    said = found[name]["diagnostics"]
    assert any(WRONG[name][2] in f"{each['code']} {each['message']}" for each in said), said


def test_operations_are_those_that_the_cluster_permits() -> None:
    """Each role may do with each channel what an operation says, and nothing that none says."""
    described = document()
    said = set()
    for name, operation in described["operations"].items():
        channel = operation["channel"]["$ref"].rpartition("/")[2]
        (scheme,) = operation["security"]
        role = scheme["$ref"].rpartition("/")[2].removesuffix("Certificate")
        assert name.startswith(role)
        said.add((role, operation["action"], channel))
    permitted = set()
    for role in Role:
        for name, channel in described["channels"].items():
            agency = "fedpol" if "agency" in channel.get("parameters", {}) else ""
            for action, wanted in ACTIONS.items():
                other = channel["address"].startswith(TopicScope.EXCHANGE) and action == "send"
                topic = channel["address"].format(state="de" if other else "ch", agency=agency)
                states = "" if role is Role.OPERATOR else "CH"
                principal = Principal(role, states, agency if role is Role.AGENCY else "")
                if wanted in operations_on(principal, topic):
                    permitted.add((str(role), action, name))
    assert said == permitted


def test_every_topic_of_the_table_has_its_channel_with_its_configuration() -> None:
    channels = document()["channels"]
    for kind in TABLE:
        kafka = channels[kind.name]["bindings"]["kafka"]
        assert channels[kind.name]["address"] == kind.topic("{state}")
        assert kafka["topicConfiguration"]["retention.ms"] == kind.retention_ms
        assert kafka["topicConfiguration"]["cleanup.policy"] == ["compact" if kind.compacted else "delete"]
        assert (kafka["partitions"] == 1) == kind.single


def test_headers_are_those_that_are_written() -> None:
    for kind in WITH_HEADERS:
        described = document()["components"]["messages"][kind.name]["headers"]
        written = dict(EventHeaders(kind, "CH").at(0).make("id", "subject", "trace"))
        assert described["properties"].keys() == written.keys()
        for name, schema in described["properties"].items():
            assert schema.get("const", written[name]) == written[name]


def test_who_has_the_document_alone_reads_a_record() -> None:
    described = yaml.safe_load(PAGE.read_text(encoding="utf-8"))
    message = described["components"]["messages"]["indicators"]
    schema = described["components"]["schemas"][message["payload"]["$ref"].rpartition("/")[2]]["schema"]
    item = next(iter(telling_cases())).indicator
    record = codec_of("indicator").encode(item.to_wire())
    read: Any = fastavro.schemaless_reader(io.BytesIO(record[HEADER_LENGTH:]), fastavro.parse_schema(schema, {}), None)
    assert (read["id"], read["value"]) == (item.id, item.value)
