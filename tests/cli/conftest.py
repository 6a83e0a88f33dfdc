"""Fixtures of the tests of the command line."""

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
from sharing.topology.topics import DIRECTORY, INDICATORS, NOTICES, URGENT

Call = Callable[..., "Done"]


@dataclass(frozen=True)
class Done:
    """What became of a command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        assert self.out.count("\n") == 1, self
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """The JSON lines on standard output."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> str:
        """The one sentence in which it failed, without its mark."""
        assert "Traceback" not in self.err
        lines = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, self
        return lines[0].removeprefix("error: ")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An empty folder, no settings, nobody's terminal."""
    for name in [
        name for name in os.environ if name.upper().startswith("SHARING_") or name in {"COLUMNS", "FORCE_COLOR"}
    ]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SHARING_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGTERM)
    yield tmp_path
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs `sharing` with arguments, in this process, as its entry point does."""

    def run(*arguments: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["sharing", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        code = ended.value.code
        return Done(code if isinstance(code, int) else int(code is not None), said.out, said.err)

    return run


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedBroker]:
    """A broker of the test's own with the topics that these tests need, named by SHARING_BOOTSTRAP."""
    with EmbeddedBroker() as broker:
        # As few as possible: now and then the mock cluster takes a second for one.
        broker.create_topics([INDICATORS.topic("CH"), NOTICES.topic("NL"), URGENT.topic("NL")], 2)
        broker.create_topics([DIRECTORY.topic()], 1)
        monkeypatch.setenv("SHARING_BOOTSTRAP", broker.bootstrap)
        yield broker
