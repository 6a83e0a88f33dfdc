"""The lines of `docs/deploy.md` that run one command in a container, without the container.

Each runs with the entry point, the command, the settings and the secrets that the Compose file gives to its service, on
the trial's broker with its access control. What the container adds (user, read-only file system, network) is not
tested, and there is no Schema Registry: records are in single-object encoding.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sharing.testing.samples import sample_directory
from tests.cli.test_publish import ITEM
from tests.deploy.deploy_files import ROOT, load_compose
from tests.deploy.test_trial import (  # noqa: F401 the fixtures of the trial
    broker,
    clients_ca,
    make_service_command,
    prepared,
    read_service_settings,
    secrets,
)
from tests.support.waiting import wait_until

PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
LINE = re.compile(
    r"^docker compose -f deploy/compose/compose\.yaml run --rm (?:-T )?(?P<service>\S+) (?P<command>[^<\n]*?)"
    r"(?: < (?P<input>\S+))?$",
    re.MULTILINE,
)
OWN_ITEM = {
    **ITEM, "id": "018f3c1e-7b1a-7c3d-8e2f-0123456789ab", "nexus": [{"state": "DE", "reason": "hosted there"}]
}  # fmt: skip
LINES = [match.groupdict() for match in LINE.finditer(PAGE)]


class Trial:
    """The services of the Compose file, on a broker without containers."""

    def __init__(self, bootstrap: str, secrets_folder: Path, folder: Path) -> None:
        self.bootstrap, self.secrets, self.folder = bootstrap, secrets_folder, folder

    def run(self, service: str, command: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command in place of the one of a service."""
        return subprocess.run(
            env=self._make_environment(service), args=make_service_command(service, self.folder, command.split()),
            input=text, capture_output=True, text=True, timeout=120, check=False, cwd=self.folder,
        )  # fmt: skip

    def start(self, service: str) -> subprocess.Popen[bytes]:
        """Start a service with its own command."""
        with (self.folder / f"{service}.log").open("wb") as log:
            return subprocess.Popen(
                env=self._make_environment(service),
                args=make_service_command(service, self.folder, load_compose()["services"][service]["command"]),
                stdout=log, stderr=log, cwd=self.folder,
            )  # fmt: skip

    def _make_environment(self, service: str) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("SHARING_")}
        return {**inherited, **read_service_settings(service, self.bootstrap, self.secrets, self.folder)}


@pytest.fixture
def trial(prepared: str, secrets: Path, tmp_path: Path) -> Iterator[Trial]:  # noqa: F811 the imported fixtures
    """The trial, with the gate of CH."""
    services = Trial(prepared, secrets, tmp_path)
    gate = services.start("gate-ch-0")
    yield services
    gate.terminate()
    assert gate.wait(60) == 0, (tmp_path / "gate-ch-0.log").read_text()


@pytest.mark.kafka
def test_the_lines_of_the_page_do_what_they_say(trial: Trial) -> None:
    """The operator checks, an officer announces, an agency publishes, and a partner receives, each with its rights."""
    inputs = {"ch.yaml": sample_directory()[0], "item.jsonl": f"{json.dumps(OWN_ITEM)}\n"}
    assert [line["service"] for line in LINES] == [
        "operator",
        "console-ch",
        "agency-ch-fedpol",
        "partner-de",
        "registrar-ch",
    ]
    assert trial.run("console-de", "directory announce /dev/stdin --state DE", inputs["ch.yaml"]).returncode == 0
    wait_until(lambda: '"partitions assigned' in (trial.folder / "gate-ch-0.log").read_text(), "the gate works")
    printed = {}
    for line in LINES:

        def is_done(line: dict[str, str | None] = line) -> bool:
            text = None if line["input"] is None else inputs[line["input"]]
            run = trial.run(str(line["service"]), str(line["command"]), text)
            assert run.returncode == 0, f"{line}\n{run.stdout}\n{run.stderr}"
            printed[line["service"]] = run.stdout + run.stderr
            return line["service"] != "partner-de" or "CH → DE" in run.stdout

        wait_until(is_done, str(line))
    assert "rights: operator: as in the table" in printed["operator"]
    assert "announced: CH" in printed["console-ch"]
    assert "1 read, 1 published, 0 not published" in printed["agency-ch-fedpol"]
    assert "domain-name" in printed["partner-de"]


@pytest.mark.kafka
def test_a_service_cannot_do_the_work_of_another(trial: Trial) -> None:
    inputs = f"{json.dumps(OWN_ITEM)}\n"
    for service, command, text in (
        ("partner-de", "publish /dev/stdin --state CH --agency fedpol --format jsonl", inputs),
        ("agency-ch-fedpol", "subscribe DE --once", None),
        ("console-de", "directory announce /dev/stdin --state CH", sample_directory()[0]),
    ):
        run = trial.run(service, command, text)
        assert run.returncode in {2, 3}, run
        assert "Traceback" not in run.stderr


def test_the_page_shows_every_kind_of_client() -> None:
    services = load_compose()["services"]
    shown = {str(line["service"]).split("-")[0] for line in LINES}
    assert shown == {name.split("-")[0] for name, service in services.items() if "tools" in service.get("profiles", ())}
