"""`sharing broker`, used by people and by programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sharing.cli.broker import app, default_folder, format_down_command, read_broker_partners
from sharing.errors import InfrastructureError, InputError
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.broker.secure_kafka import SecureKafka
from sharing.topology.acls import list_principals


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_default_folder_is_in_the_home_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHARING_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/officer")
    assert default_folder() == Path("/home/officer/.local/state/sharing/kafka")
    monkeypatch.setenv("SHARING_HOME", "/sharing")
    assert default_folder() == Path("/sharing/kafka")


def test_without_a_broker_status_fails_and_down_is_harmless(tmp_path: Path) -> None:
    status = call("status", "--folder", tmp_path)
    assert status.exit_code == 1
    assert "not running; start it with: sharing broker up" in status.stdout
    document = json.loads(call("status", "--folder", tmp_path, "--json").stdout)
    assert (document["state"], document["running"], document["bootstrap"]) == ("stopped", False, None)
    down = call("down", "--folder", tmp_path)
    assert (down.exit_code, down.stdout) == (0, "No broker was running.\n")
    assert json.loads(call("down", "--folder", tmp_path, "--json").stdout)["was_running"] is False


def test_errors_are_raised_to_the_entry_point(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert isinstance(call("up", "--folder", tmp_path / "file" / "within").exception, InfrastructureError)
    refused = call("up", "--port", "70000").exception
    assert isinstance(refused, InputError)
    assert str(refused) == "--port 70000: must be from 0 to 65535"


@pytest.mark.kafka
def test_up_prints_messages_on_stderr_and_shell_code_on_stdout(kafka: KafkaBroker) -> None:
    result = call("up", "--folder", kafka.folder)
    assert result.exit_code == 0
    assert result.stdout == f"export SHARING_BOOTSTRAP={kafka.bootstrap}\n"
    assert f"was already running at {kafka.bootstrap}" in result.stderr
    assert f"Stop it with: sharing broker down --folder {kafka.folder}" in result.stderr
    document = json.loads(call("up", "--folder", kafka.folder, "--json").stdout)
    assert (document["already_running"], document["bootstrap"]) == (True, kafka.bootstrap)


@pytest.mark.kafka
def test_a_secure_broker_prints_the_settings_of_each_principal(secure_kafka: SecureKafka, tmp_path: Path) -> None:
    folder = secure_kafka.broker.folder
    up = call("up", "--secure", "--folder", folder, "--as", "gate.ch")
    assert up.exit_code == 0, up.stderr
    lines = dict(line.removeprefix("export ").split("=", 1) for line in up.stdout.splitlines())
    assert lines["SHARING_STATE"] == "CH"
    assert lines["SHARING_TLS_CERTIFICATE"] == str(folder / "certificates" / "gate.ch.pem")
    assert "agency.ch.customs" in up.stderr
    assert f"sharing broker up --secure --folder {folder} --as gate.ch" in up.stderr
    # The partners of the last run are reused, not those of the sample.
    again = json.loads(call("up", "--secure", "--folder", folder, "--json").stdout)
    assert again["already_running"] is True
    assert set(again["environments"]) == {principal.name for principal in list_principals(secure_kafka.partners)}
    (tmp_path / "partners.yaml").write_text("states: {FR: {}}")
    other = call("up", "--secure", "--folder", folder, "--partners", tmp_path / "partners.yaml")
    assert "has no certificate for partner.fr" in str(other.exception)
    assert call("status", "--folder", folder).exit_code == 0
    refused = call("up", "--folder", folder)
    assert isinstance(refused.exception, InputError)
    assert "start it with --secure" in str(refused.exception)
    assert isinstance(call("up", "--secure", "--folder", folder, "--as", "gate.fr").exception, InputError)


def test_the_order_in_which_partners_are_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The option comes first, then the settings, the last run, and the sample."""
    monkeypatch.delenv("SHARING_PARTNERS", raising=False)
    assert set(read_broker_partners(None).states) == {"CH", "DE", "NL"}
    files = {}
    for state in ("FR", "US", "JP"):
        files[state] = tmp_path / f"{state}.yaml"
        files[state].write_text(f"states: {{{state}: {{}}}}")
    assert set(read_broker_partners(None, files["FR"]).states) == {"FR"}
    monkeypatch.setenv("SHARING_PARTNERS", str(files["US"]))
    assert set(read_broker_partners(None, files["FR"]).states) == {"US"}
    assert set(read_broker_partners(files["JP"], files["FR"]).states) == {"JP"}


def test_the_down_command_works_in_a_shell_without_the_settings_of_this_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHARING_HOME", str(tmp_path / "data"))
    assert format_down_command(default_folder()) == f"sharing broker down --folder {tmp_path}/data/kafka"
    monkeypatch.delenv("SHARING_HOME")
    assert format_down_command(default_folder()) == "sharing broker down"


def test_options_of_a_secure_broker_need_secure(tmp_path: Path) -> None:
    assert isinstance(call("up", "--folder", tmp_path, "--as", "gate.ch").exception, InputError)


@pytest.mark.kafka
def test_status_of_a_running_broker(kafka: KafkaBroker) -> None:
    result = call("status", "--folder", kafka.folder)
    assert result.exit_code == 0
    assert kafka.bootstrap in result.stdout
    document = json.loads(call("status", "--folder", kafka.folder, "--json").stdout)
    assert document["running"] is True
    assert document["pid"] == kafka.status().pid


@pytest.mark.kafka
def test_the_broker_outlives_its_command_and_needs_no_system_java(kafka: KafkaBroker, tmp_path: Path) -> None:
    """No Java on the path, no JAVA_HOME; and options for another Java have no effect."""
    environment = {
        "HOME": str(Path.home()),
        "PATH": "/nonexistent",
        "SHARING_HOME": str(tmp_path),
        "JAVA_TOOL_OPTIONS": "-XX:NoSuchOption",
    } | {name: value for name, value in os.environ.items() if name in {"M2_REPO", "JGO_CACHE_DIR"}}
    broker = KafkaBroker(tmp_path / "kafka")
    try:
        up = subprocess.run(
            [sys.executable, "-c", "from sharing.cli.broker import app; app()", "up"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert up.returncode == 0, up.stderr
        assert up.stdout == f"export SHARING_BOOTSTRAP={broker.bootstrap}\n"
        assert broker.status().running
        down = call("down", "--folder", broker.folder)
        assert down.stdout == f"Kafka is stopped. Its topics are kept in {broker.folder}.\n"
    finally:
        broker.stop()
