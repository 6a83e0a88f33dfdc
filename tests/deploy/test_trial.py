"""The trial's broker, certificates and first step, run on a real Kafka without containers.

The configuration is that of `deploy/compose/`, with names and folders of containers replaced by those of this machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from sharing.errors import InfrastructureError
from sharing.kafka.clients import require_broker
from sharing.kafka.tls import tls_files
from sharing.testing.broker.jars import fetch_jars, find_java
from sharing.testing.broker.jvm import PROPERTIES_FILE, JavaCommand, format_storage, spawn_node
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.broker.process import free_port
from sharing.tools.manifests import kafka_node
from sharing.tools.manifests.common import TLS_PORT
from sharing.topology.acls import principals
from sharing.topology.partners import read_partners
from tests.deploy.deploy_files import COMPOSE, DEPLOY, composition

PARTNERS = COMPOSE / "partners.yaml"
READY_S = 60.0


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The secrets that `deploy/certificates.py` makes."""
    folder = tmp_path_factory.mktemp("trial") / "secrets"
    done = run(str(DEPLOY / "certificates.py"), str(PARTNERS), str(folder))
    assert done.returncode == 0, done.stderr
    return folder


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SHARING_")}
    return subprocess.run(
        [sys.executable, *arguments],
        env={**kept, **environment},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


def certificate(secrets: Path, name: str) -> dict[str, str]:
    return {
        "SHARING_TLS_CA": str(secrets / "ca.pem"),
        "SHARING_TLS_CERTIFICATE": str(secrets / f"{name}.pem"),
        "SHARING_TLS_KEY": str(secrets / f"{name}.key"),
    }


def sharing(secrets: Path, name: str, bootstrap: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    settings = {"SHARING_BOOTSTRAP": bootstrap, **certificate(secrets, name)}
    return run("-c", "from sharing.cli import main; main()", *arguments, **settings)


def test_every_secret_of_the_composition_is_made_and_no_other(secrets: Path) -> None:
    files = {(COMPOSE / one["file"]).name for one in composition()["secrets"].values()}
    made = {path.name for path in secrets.iterdir()}
    assert files <= made
    assert made - files == set()


def test_the_folder_of_the_secrets_is_its_owners(secrets: Path) -> None:
    assert secrets.stat().st_mode & 0o777 == 0o700
    assert len({path.read_bytes() for path in secrets.glob("*.key")}) == len(principals(read_partners(PARTNERS))) + 1


def test_secrets_are_not_made_over_others(secrets: Path) -> None:
    before = (secrets / "ca.pem").read_bytes()
    done = run(str(DEPLOY / "certificates.py"), str(PARTNERS), str(secrets))
    assert done.returncode == 2
    assert "exists" in done.stderr
    assert (secrets / "ca.pem").read_bytes() == before


@pytest.fixture(scope="module")
def broker(kafka: KafkaBroker, secrets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The trial's node; yields where it listens. Whether a real Kafka can be had, `kafka` has settled."""
    folder = tmp_path_factory.mktemp("node")
    (folder / "tmp").mkdir()
    port, controller = free_port(), free_port()
    text = (COMPOSE / "kafka" / "server.properties").read_text()
    for theirs, ours in {
        f"CLIENTS://:{TLS_PORT}": f"CLIENTS://localhost:{port}",
        f"CONTROLLER://:{kafka_node.CONTROLLER_PORT}": f"CONTROLLER://localhost:{controller}",
        f"@{kafka_node.HOST}:{kafka_node.CONTROLLER_PORT}": f"@localhost:{controller}",
        f"://{kafka_node.HOST}:{TLS_PORT}": f"://localhost:{port}",
        kafka_node.SECRETS: str(secrets),
        kafka_node.DATA: str(folder / "data"),
    }.items():
        assert theirs in text
        text = text.replace(theirs, ours)
    (folder / PROPERTIES_FILE).write_text(text)
    java = JavaCommand(find_java(), fetch_jars(lambda _: None))
    format_storage(java, folder)
    log = folder / "kafka.log"
    node = spawn_node(java, folder, log, "-Dsharing.trial")
    bootstrap = f"localhost:{port}"
    try:
        await_broker(node, log, bootstrap, secrets)
        yield bootstrap
    finally:
        node.terminate()
        try:
            node.wait(30)
        except subprocess.TimeoutExpired:
            node.kill()


def await_broker(node: subprocess.Popen[bytes], log: Path, bootstrap: str, secrets: Path) -> None:
    own = certificate(secrets, kafka_node.BROKER)
    properties = tls_files(*(Path(own[f"SHARING_TLS_{name}"]) for name in ("CA", "CERTIFICATE", "KEY")))
    deadline = time.monotonic() + READY_S
    while True:
        assert node.poll() is None, log.read_text()[-3000:]
        try:
            require_broker(bootstrap, properties)
        except InfrastructureError as error:
            if time.monotonic() > deadline:
                pytest.fail(f"{error}\n{log.read_text()[-3000:]}")
        else:
            return


@pytest.fixture(scope="module")
def prepared(broker: str, secrets: Path) -> str:
    """The trial's node after the step `topics`, carried out by the command and the identity of the composition."""
    service = composition()["services"]["topics"]
    command = [str(PARTNERS) if part == "/etc/sharing/partners.yaml" else part for part in service["command"]]
    (key,) = [one["source"] for one in service["secrets"] if one["target"] == "tls.key"]
    done = sharing(secrets, key.removesuffix(".key"), broker, *command)
    assert done.returncode == 0, done.stderr
    return broker


@pytest.mark.kafka
def test_the_first_step_makes_every_topic_and_entry_and_nothing_twice(prepared: str, secrets: Path) -> None:
    arguments = ("topics", "apply", "--partners", str(PARTNERS), "--acls", "--json")
    done = sharing(secrets, "operator", prepared, *arguments)
    assert done.returncode == 0, done.stderr
    changes = json.loads(done.stdout)
    topics = {one["topic"] for one in changes if "topic" in one}
    assert topics >= set(read_partners(PARTNERS).topics)
    assert {one["change"] for one in changes} == {"same"}


@pytest.mark.kafka
def test_who_may_not_make_topics_does_not(prepared: str, secrets: Path) -> None:
    done = sharing(secrets, "agency.de.bka", prepared, "topics", "apply", "--partners", str(PARTNERS), "--acls")
    assert done.returncode != 0
    assert "AUTHORIZATION" in done.stderr.upper() or "refuses" in done.stderr, done.stderr


@pytest.mark.kafka
def test_a_gate_with_the_settings_of_the_composition_gets_ready(prepared: str, secrets: Path, tmp_path: Path) -> None:
    service = composition()["services"]["gate-ch-0"]
    port = free_port()
    environment = {
        **service["environment"],
        **certificate(secrets, "gate.ch"),
        "SHARING_BOOTSTRAP": prepared,
        "SHARING_WEB_PORT": str(port),
        "SHARING_WEB_BIND": "127.0.0.1",
    }
    # No Schema Registry here: tests/serialization has a real one.
    del environment["SHARING_REGISTRY"]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SHARING_")}
    command = [sys.executable, "-c", "from sharing.cli import main; main()", *service["command"]]
    said = tmp_path / "gate.log"
    with said.open("wb") as output:
        gate = subprocess.Popen(command, env={**kept, **environment}, stdout=output, stderr=output)
    try:
        program, *check = service["healthcheck"]["test"][1:]
        assert program == "python"
        deadline = time.monotonic() + READY_S
        while run(*check, **environment).returncode:
            assert gate.poll() is None, said.read_text()
            assert time.monotonic() < deadline, said.read_text()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
            assert b"sharing_pack_info{" in page.read()
        gate.terminate()
        assert gate.wait(60) == 0, said.read_text()
    finally:
        gate.kill()
        gate.wait(10)
