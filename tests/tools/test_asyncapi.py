"""The AsyncAPI document is up to date, AsyncAPI's parser accepts it, and it agrees with the ACL rules."""

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

from sharing.serialization.cloud_events import EventHeaderBuilder
from sharing.serialization.codec import HEADER_LENGTH, get_codec
from sharing.testing.demo.scenario import read_demo_cases
from sharing.tools.asyncapi import KINDS_WITH_HEADERS, main, make_document, render_document
from sharing.topology.acls import Operation, Principal, allowed_operations
from sharing.topology.topic_kinds import Role, TopicScope
from sharing.topology.topics import TOPIC_KINDS
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
"""The text that is replaced, its replacement, and the code or message of the parser's diagnostic."""
ACTIONS = {"send": Operation.WRITE, "receive": Operation.READ}


def test_the_document_is_up_to_date(tmp_path: Path) -> None:
    generated = tmp_path / "asyncapi.yaml"
    assert main([str(generated)]) == 0
    assert generated.read_bytes() == PAGE.read_bytes(), "run `make asyncapi`"


def test_wrong_arguments_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "error:" in capsys.readouterr().err


@pytest.fixture(scope="module")
def modules() -> str:
    """The folder with AsyncAPI's parser, installed once into build/ with the versions that tests/asyncapi pins."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not both installed: AsyncAPI's parser cannot be run")
    folder = ROOT / "build" / "asyncapi"
    pinned = (TOOL / "package.json").read_text()
    marker = folder / "installed.json"
    if not marker.exists() or marker.read_text() != pinned:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text(pinned)
        flags = ["--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        command = [npm, "install", *flags, f"--prefix={folder}"]
        try:
            ran = subprocess.run(command, capture_output=True, text=True, timeout=NPM_SECONDS_MAX, check=False)
            failure = ran.stderr[-2000:] if ran.returncode else ""
        except subprocess.TimeoutExpired:
            failure = f"npm did not finish within {NPM_SECONDS_MAX} s"
        if failure:
            if os.environ.get("CI") == "true":
                pytest.fail(f"AsyncAPI's parser cannot be installed: {failure}")
            pytest.skip(f"AsyncAPI's parser cannot be installed: {failure}")
        marker.write_text(pinned)
    return str(folder / "node_modules")


@pytest.fixture(scope="module")
def parsed(modules: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The result of AsyncAPI's parser for the document and for wrong ones. The parser takes seconds to start."""
    folder, text = tmp_path_factory.mktemp("asyncapi"), render_document()
    files = {"": PAGE}
    for name, (before, after, _) in WRONG.items():
        assert before in text
        files[name] = folder / f"{name}.yaml"
        files[name].write_text(text.replace(before, after))
    command = ["node", str(TOOL / "validate.cjs"), modules, *map(str, files.values())]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert ran.returncode == 0, ran.stderr
    return dict(zip(files, json.loads(ran.stdout), strict=True))


def test_the_parser_of_asyncapi_accepts_the_document_and_its_avro_schemas(parsed: dict[str, dict[str, Any]]) -> None:
    assert parsed[""]["diagnostics"] == []
    by_id = {operation["id"]: operation for operation in parsed[""]["operations"]}
    assert by_id.keys() == make_document()["operations"].keys()
    publish = by_id["agencySendsIndicatorsByAgency"]
    assert publish["channel"] == "national.{state}.indicators.{agency}"
    assert set(publish["fields"]) == {field["name"] for field in get_codec("indicator").schema["fields"]}
    assert "ce_id" in publish["headers"]
    assert by_id["consoleReceivesDecisions"]["headers"] == []


@pytest.mark.parametrize("name", WRONG)
def test_the_parser_refuses_a_wrong_document(name: str, parsed: dict[str, dict[str, Any]]) -> None:
    """The previous test would fail for a wrong document."""
    assert not parsed[name]["valid"]
    diagnostics = parsed[name]["diagnostics"]
    assert any(WRONG[name][2] in f"{entry['code']} {entry['message']}" for entry in diagnostics), diagnostics


def test_the_operations_match_the_acl_rules() -> None:
    """Each role may perform exactly the operations that the document describes."""
    described = make_document()
    documented = set()
    for name, operation in described["operations"].items():
        channel = operation["channel"]["$ref"].rpartition("/")[2]
        (scheme,) = operation["security"]
        role = scheme["$ref"].rpartition("/")[2].removesuffix("Certificate")
        assert name.startswith(role)
        documented.add((role, operation["action"], channel))
    permitted = set()
    for role in Role:
        for name, channel in described["channels"].items():
            agency = "fedpol" if "agency" in channel.get("parameters", {}) else ""
            for action, wanted in ACTIONS.items():
                other = channel["address"].startswith(TopicScope.EXCHANGE) and action == "send"
                topic = channel["address"].format(state="de" if other else "ch", agency=agency)
                states = "" if role is Role.OPERATOR else "CH"
                principal = Principal(role, states, agency if role is Role.AGENCY else "")
                if wanted in allowed_operations(principal, topic):
                    permitted.add((str(role), action, name))
    assert documented == permitted


def test_every_topic_kind_has_a_channel_with_its_configuration() -> None:
    channels = make_document()["channels"]
    for kind in TOPIC_KINDS:
        kafka = channels[kind.name]["bindings"]["kafka"]
        assert channels[kind.name]["address"] == kind.topic("{state}")
        assert kafka["topicConfiguration"]["retention.ms"] == kind.retention_ms
        assert kafka["topicConfiguration"]["cleanup.policy"] == kind.config()["cleanup.policy"].split(",")
        assert (kafka["partitions"] == 1) == kind.single_partition


def test_the_documented_headers_match_the_written_ones() -> None:
    for kind in KINDS_WITH_HEADERS:
        described = make_document()["components"]["messages"][kind.name]["headers"]
        written = dict(EventHeaderBuilder(kind, "CH").at_instant(0).build_headers("id", "subject", "trace"))
        assert described["properties"].keys() == written.keys()
        for name, schema in described["properties"].items():
            assert schema.get("const", written[name]) == written[name]


def test_a_record_can_be_read_with_the_document_alone() -> None:
    described = yaml.safe_load(PAGE.read_text(encoding="utf-8"))
    message = described["components"]["messages"]["indicators"]
    schema = described["components"]["schemas"][message["payload"]["$ref"].rpartition("/")[2]]["schema"]
    item = next(iter(read_demo_cases())).indicator
    record = get_codec("indicator").encode(item.to_record())
    read: Any = fastavro.schemaless_reader(io.BytesIO(record[HEADER_LENGTH:]), fastavro.parse_schema(schema, {}), None)
    assert (read["id"], read["value"]) == (item.id, item.value)
