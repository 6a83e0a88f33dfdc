"""Every example of the documentation is executed, in the order of its page, and prints what the page shows.

A reader follows one page from top to bottom, in a folder of their own, with a broker of their own (the embedded
one). What is not run stands in `NOT_RUN`, with the reason and where else it is tested; a command that is neither
run nor in that table fails.
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from threading import Timer
from typing import TYPE_CHECKING, NamedTuple

import pytest
import yaml

from sharing.cli import console, main
from sharing.kafka.directory_topic import announce, read_entries
from sharing.model.indicator import Indicator
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.process import free_port
from sharing.testing.demo.scenario import telling_cases
from sharing.testing.samples import sample_directory, sample_file, sample_profile
from sharing.topology.topics import NOTICES, topics_for
from tests.docs.doc_files import ROOT, Block, Command, agrees, blocks, commands, documents, name_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WIDTH = 120
PATIENCE_S = 60.0
STATES = ("CH", "DE", "NL", "XA")
RECEIVERS = ("FR", "JP", "US", "XB")
NEEDS_BROKER = re.compile(r"Publisher\(|Subscriber\(|sharing (publish|subscribe|directory|gate) ")
BOOTSTRAP, WEB_PORT = "127.0.0.1:9092", "6066"
"""As the pages write them; what stands for them here is put in their place."""

ANNOUNCED_BEFORE = {"docs/subscribe.md"}
"""Pages whose reader joins a bus on which the other States have announced themselves."""


class NotRun(NamedTuple):
    """A command that is recognised, why it is not run here, and where it is tested."""

    pattern: str
    reason: str
    tested_in: str


NOT_RUN = (
    NotRun(
        r"make (demo|test|lint|mutation|faults|fuzz|bench)",
        "installs, and runs the suite itself or what it covers",
        "Makefile",
    ),
    NotRun(r"([A-Z_]+=\S+ )*python -m (pytest|tests\.)", "runs the suite itself, or measures for minutes", "Makefile"),
    NotRun(r"pip install ", "changes this Python", "pyproject.toml"),
    NotRun(r"sharing demo( |$)", "runs for half a minute", "tests/testing/test_demo.py"),
    NotRun(
        r"sharing broker (up|status|down)", "starts a process that goes on", "tests/testing/broker/test_broker_cli.py"
    ),
    NotRun(r"sharing top ", "needs a worker with its pages", "tests/monitoring/test_live_top.py"),
    NotRun(
        r"sharing topics apply", "the embedded broker creates no topics over the wire", "tests/topology/test_topics.py"
    ),
    NotRun(
        r"sharing doctor\b",
        "with a broker it describes topics, which the embedded one cannot; without, it is run",
        "tests/docs",
    ),
)


class Reader:
    """Follows one page: a folder, a broker, the gates that were started."""

    def __init__(self, page: str, folder: Path, bootstrap: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.page = page
        self.folder = folder
        self.bootstrap = bootstrap
        self.web_port = free_port()
        self._patch = monkeypatch
        self._gates: list[subprocess.Popen[bytes]] = []

    def follow(self, block: Block) -> None:
        """Save it, execute it, or check that it is what it says."""
        if block.file:
            place = self.folder / block.file
            place.parent.mkdir(exist_ok=True)
            place.write_text(_on_one_line(block.text) if block.file.endswith(".jsonl") else block.text)
        match block.language:
            case "console":
                for command in commands(block):
                    self.run(command)
            case "python" if not block.excerpt_of:
                self.execute(block)
            case "json":
                _check_json(block)
            case "yaml":
                yaml.safe_load(block.text)
            case "toml":
                tomllib.loads(block.text)
            case "python" | "":
                pass  # an excerpt, see test_walkthrough.py; or plain text
            case _:
                pytest.fail(f"{block.place}: a block of {block.language!r} is neither executed nor checked")

    def run(self, command: Command) -> None:
        """Run a command as often as it takes to print what the page shows, where that depends on a gate."""
        text = self._fill(command.text)
        words = shlex.split(text, comments=True)
        environment = {}
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            name, _, value = words.pop(0).partition("=")
            environment[name] = value
        if words[:1] == ["export"]:
            name, _, value = words[1].partition("=")
            self._patch.setenv(name, value)
        elif words[:2] == ["sharing", "gate"]:
            self._start_gate(words, environment)
        elif words[:2] == ["sharing", "subscribe"] and "--once" not in words:
            self._end_after_first_line(words)
        elif not self._is_not_run(text):
            self._compare(command, words, environment)

    def execute(self, block: Block) -> None:
        """Execute a Python block; one that receives without end is ended when it has printed something."""
        source = self._fill(block.text)
        if "in subscriber:" in source and "stop_at_end" not in source:
            self._end_after_first_line([sys.executable, "-u", "-c", source])
            return
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(compile(source, block.place, "exec"), {"__name__": "__main__"})  # noqa: S102 our own pages
        if "print(" in source and "error" not in source:
            assert printed.getvalue(), f"{block.place}: printed nothing"

    def end_gates(self) -> None:
        """End the gates as their supervisor would, once they run, and expect them to end well."""
        deadline = time.monotonic() + PATIENCE_S
        while len(re.findall(r"worker \S+ runs", self._gate_log())) < len(self._gates) and time.monotonic() < deadline:
            time.sleep(0.1)
        for gate in self._gates:
            gate.send_signal(signal.SIGTERM)
        codes = [gate.wait(PATIENCE_S) for gate in self._gates]
        assert not any(codes), f"{self.page}: gates ended with {codes}\n{self._gate_log()}"

    def kill_gates(self) -> None:
        """Leave none behind, whatever happened."""
        for gate in self._gates:
            gate.kill()
            gate.wait(PATIENCE_S)

    def _compare(self, command: Command, words: list[str], environment: dict[str, str]) -> None:
        depends_on_gate = bool(self._gates) and (words[0] == "curl" or words[:2] == ["sharing", "subscribe"])
        deadline = time.monotonic() + (PATIENCE_S if depends_on_gate else 0)
        best = ""
        while True:
            code, printed = self._call(command, words, environment)
            best = max(best, printed, key=len)
            if code == command.exit_code and agrees(command.shown, printed):
                return
            if time.monotonic() > deadline or any(gate.poll() is not None for gate in self._gates):
                break
            time.sleep(0.2)
        pytest.fail(
            f"{command.place}: $ {command.text}\n"
            f"exit code {code}, the page says {command.exit_code}\n--- the page shows\n"
            + "\n".join(command.shown)
            + f"\n--- printed\n{best}\n{self._gate_log()}"
        )

    def _call(self, command: Command, words: list[str], environment: dict[str, str]) -> tuple[int, str]:
        if words[0] == "curl":
            return _fetch(words[-1])
        if words[0] == "cp":
            copy = shutil.copytree if words[1] == "-r" else shutil.copy
            copy(ROOT / words[-2], self.folder / words[-1])
            return 0, ""
        if words[0] == "openssl":
            return _run_openssl(words)
        if words[0] != "sharing":
            pytest.fail(f"{command.place}: {words[0]!r} is neither run here nor in the table NOT_RUN")
        printed = io.StringIO()
        with self._patch.context() as patch, redirect_stdout(printed), redirect_stderr(printed):
            patch.setattr(sys, "argv", words)
            for name, value in environment.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as end:
                main()
        return int(end.value.code or 0), printed.getvalue()

    def _is_not_run(self, text: str) -> bool:
        if text.startswith("sharing doctor") and "SHARING_BOOTSTRAP" not in os.environ:
            return False
        return any(re.match(entry.pattern, text) for entry in NOT_RUN)

    def _start_gate(self, words: list[str], environment: dict[str, str]) -> None:
        with (self.folder / "gate.log").open("ab") as log:
            gate = subprocess.Popen(_program(words), env={**os.environ, **environment}, stdout=log, stderr=log)
        self._gates.append(gate)

    def _end_after_first_line(self, words: list[str]) -> None:
        with (self.folder / "errors.log").open("wb") as errors:
            process = subprocess.Popen(_program(words), cwd=self.folder, stdout=subprocess.PIPE, stderr=errors)
        timer = _after(PATIENCE_S, process.kill)
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
        finally:
            timer.cancel()
            process.terminate()
            process.communicate(timeout=PATIENCE_S)
        said = (self.folder / "errors.log").read_text()
        assert first.strip(), f"{self.page}: {words[:3]} printed nothing: {said}\n{self._gate_log()}"

    def _fill(self, text: str) -> str:
        return text.replace(BOOTSTRAP, self.bootstrap).replace(WEB_PORT, str(self.web_port))

    def _gate_log(self) -> str:
        log = self.folder / "gate.log"
        return f"--- gate\n{log.read_text()[-3000:]}" if log.exists() else ""


@pytest.fixture
def follow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Return what follows a page."""
    for name in [name for name in os.environ if name.startswith("SHARING_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SHARING_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    for each in (console.out, console.err):
        monkeypatch.setattr(each, "_width", WIDTH)
    monkeypatch.chdir(tmp_path)
    _lay_out_samples(tmp_path)

    def read(page: Path) -> None:
        text = page.read_text(encoding="utf-8")
        with ExitStack() as stack:
            stack.callback(signal.signal, signal.SIGTERM, signal.getsignal(signal.SIGTERM))  # a command sets its own
            bootstrap = _set_up_broker(stack, page) if NEEDS_BROKER.search(text) else ""
            if bootstrap and "export SHARING_BOOTSTRAP" not in text:
                monkeypatch.setenv("SHARING_BOOTSTRAP", bootstrap)
            reader = Reader(name_of(page), tmp_path, bootstrap, monkeypatch)
            stack.callback(reader.kill_gates)
            for block in blocks(page):
                reader.follow(block)
            reader.end_gates()

    return read


def _set_up_broker(stack: ExitStack, page: Path) -> str:
    broker = stack.enter_context(EmbeddedBroker())
    for topic in topics_for(STATES, partitions=4).values():
        broker.create_topics([topic.name], partitions=topic.partitions)
    for state in RECEIVERS:
        broker.create_topics([NOTICES.topic(state)], partitions=1)  # that it has topics is looked up by this one
    if name_of(page) in ANNOUNCED_BEFORE:
        for entry in read_entries(*sample_directory()):
            announce(broker.bootstrap, entry)
    return broker.bootstrap


@pytest.mark.parametrize("page", [page for page in documents() if any(blocks(page))], ids=name_of)
def test_examples_do_what_the_page_shows(page: Path, follow: Callable[[Path], None]) -> None:
    follow(page)


@pytest.mark.parametrize("entry", NOT_RUN, ids=lambda entry: entry.pattern)
def test_what_is_not_run_is_shown_somewhere_and_tested_elsewhere(entry: NotRun) -> None:
    shown = [
        command.text
        for page in documents()
        for block in blocks(page)
        if block.language == "console"
        for command in commands(block)
    ]
    assert any(re.match(entry.pattern, text) for text in shown), "no page shows it: take it out of the table"
    assert (ROOT / entry.tested_in).exists()


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ("```console\n$ rm -rf /\n```\n", "'rm' is neither run here nor in the table"),
        ("```console\n$ sharing law list\nnothing at all\n```\n", "the page shows"),
        ("```console\n$ sharing law show XX\n```\n", "exit code 2, the page says 0"),
        ("```console\n$ sharing law test --pack CH\n```\n", "exit code 2"),
        ("```sql\nselect 1\n```\n", "neither executed nor checked"),
    ],
)
def test_a_wrong_page_fails(page: str, says: str, tmp_path: Path, follow: Callable[[Path], None]) -> None:
    wrong = tmp_path / "wrong.md"
    wrong.write_text(page)
    with pytest.raises(pytest.fail.Exception, match=re.escape(says)):
        follow(wrong)


def test_gaps_stand_for_what_is_between() -> None:
    assert agrees(("a", "…", "z"), "a\nz\n")
    assert agrees(("a", "…", "z"), "a\nb\nc\nz\n")
    assert agrees(("a … z",), "a b c z\n")
    assert not agrees(("a … z",), "a b\nz\n")
    assert not agrees(("a",), "a\nb\n")
    assert not agrees(("a", "…"), "b\na\n")


def _lay_out_samples(folder: Path) -> None:
    """Put the files there that the pages use and do not show."""
    server, wallet = _case("command-and-control"), _case("wallet")
    for name, text in {
        "event.json": sample_file("misp-kryptocibule.json").read_text(encoding="utf-8"),
        "profile.yaml": sample_profile("CH").read_text(encoding="utf-8"),
        "directory.yaml": sample_directory()[0],
        "item.jsonl": f"{server.to_json()}\n",
        "wallet.jsonl": f"{wallet.to_json()}\n",
    }.items():
        (folder / name).write_text(text, encoding="utf-8")


def _case(part_of_title: str) -> Indicator:
    return next(case.indicator for case in telling_cases() if part_of_title in case.title)


def _on_one_line(text: str) -> str:
    return json.dumps(json.loads(text)) + "\n"


def _check_json(block: Block) -> None:
    """Check that it is JSON, or JSON lines; what is saved as JSON lines is an indicator, and says so."""
    try:
        json.loads(block.text)
    except json.JSONDecodeError:
        for line in block.text.splitlines():
            json.loads(line)


def _program(words: list[str]) -> list[str]:
    """Return the command with the program of this environment."""
    return (
        [sys.executable, "-c", "from sharing.cli import main; main()", *words[1:]] if words[0] == "sharing" else words
    )


def _run_openssl(words: list[str]) -> tuple[int, str]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: what comes before it was executed")
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    return done.returncode, done.stdout


def _fetch(url: str) -> tuple[int, str]:
    """Stand in for curl."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 the gate's own page, on the loopback
            return 0, answer.read().decode()
    except (urllib.error.URLError, OSError):
        return 7, ""


def _after(seconds: float, act: Callable[[], None]) -> Timer:
    timer = Timer(seconds, act)
    timer.daemon = True
    timer.start()
    return timer
