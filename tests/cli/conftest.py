"""Fixtures for the tests of the command line."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sharing.cli import main
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import DIRECTORY, INDICATORS, NOTICES, OFFERS, URGENT

Call = Callable[..., "CommandResult"]


@dataclass(frozen=True)
class CommandResult:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str

    @property
    def json_document(self) -> Any:
        """The single JSON document on standard output."""
        assert self.out.count("\n") == 1, self
        return json.loads(self.out)

    @property
    def json_lines(self) -> list[Any]:
        """The JSON lines on standard output."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> str:
        """The single error message, without its prefix."""
        assert "Traceback" not in self.err
        lines = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, self
        return lines[0].removeprefix("error: ")


@pytest.fixture(autouse=True)
def empty_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Run the test in an empty folder, without terminal variables, and with no setting but an id secret and a home."""
    for name in [
        name for name in os.environ if name.upper().startswith("SHARING_") or name in {"COLUMNS", "FORCE_COLOR"}
    ]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SHARING_HOME", str(tmp_path / "home"))
    secret = tmp_path_factory.mktemp("secret") / "id-secret"
    secret.write_text(bytes(range(32)).hex())
    secret.chmod(0o600)
    monkeypatch.setenv("SHARING_ID_SECRET_FILE", str(secret))
    monkeypatch.chdir(tmp_path)
    previous = signal.getsignal(signal.SIGTERM)
    yield tmp_path
    signal.signal(signal.SIGTERM, previous)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run `sharing` in this process, as its entry point does."""

    def run(*arguments: str | Path) -> CommandResult:
        monkeypatch.setattr(sys, "argv", ["sharing", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as exited:
            main()
        output = capsys.readouterr()
        code = exited.value.code
        return CommandResult(code if isinstance(code, int) else int(code is not None), output.out, output.err)

    return run


SAMPLE_STATES = ("CH", "DE", "FR", "JP", "NL", "US")
"""The States of the sample directory."""


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedBroker]:
    """A broker for one test, with the topics that these tests need; SHARING_BOOTSTRAP names it."""
    with EmbeddedBroker() as broker:
        # As few topics as possible: the mock cluster occasionally takes a second for one.
        broker.create_topics([INDICATORS.topic("CH"), *(kind.topic("NL") for kind in (NOTICES, URGENT, OFFERS))], 2)
        broker.create_topics([DIRECTORY.topic(state) for state in SAMPLE_STATES], 1)
        monkeypatch.setenv("SHARING_BOOTSTRAP", broker.bootstrap)
        yield broker
