"""Executes every example of the documentation, in page order, and compares the output with the page.

Each page is followed from top to bottom in a new folder, with a separate embedded broker. `NOT_RUN` lists the commands
that are not run, with the reason and the place where they are tested; a command that is neither run nor listed there
fails the test.
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
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, NamedTuple

import pytest
import yaml

from sharing.cli import main
from sharing.cli.shared import console
from sharing.kafka.directory_topic import announce_entry, parse_entries
from sharing.model.indicator import Indicator
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.process import find_free_port
from sharing.testing.demo.scenario import read_demo_cases
from sharing.testing.samples import sample_directory, sample_file, sample_profile
from sharing.topology.topics import DIRECTORY, NOTICES, OFFERS, REPLIES, URGENT, list_topics
from tests.docs.asked_before import put_questions
from tests.docs.audited_before import write_audit_logs
from tests.docs.doc_files import (
    ROOT,
    Block,
    Command,
    get_page_name,
    list_pages,
    matches_output,
    parse_commands,
    read_blocks,
)

if TYPE_CHECKING:
    from collections.abc import Callable

WIDTH = 120
TIMEOUT_S = 240.0
STATES = ("CH", "DE", "NL", "XA")
RECEIVERS = ("FR", "JP", "US", "XB")
NEEDS_BROKER = re.compile(
    r"Publisher\(|Subscriber\(|sharing (publish|subscribe|directory|gate|officers|asks|items|inbox|audit) "
)
BOOTSTRAP, WEB_PORT = "127.0.0.1:9092", "6066"
"""Bootstrap server and port in the pages; replaced by the actual ones."""

ANNOUNCED_BEFORE = {"docs/subscribe.md"}
"""Pages that assume a bus on which the other States have announced themselves."""

ASKED_BEFORE = {"docs/answer.md"}
"""Pages that assume a bus on which people are asked something."""

AUDITED_BEFORE = {"docs/audit.md"}
"""Pages that assume audit logs of a State with keys, which others have cosigned."""


FIRST_HOURS = ROOT / "docs" / "first-hours"
"""Pages that are followed on a real Kafka (`test_first_hours.py`)."""


class NotRun(NamedTuple):
    """A pattern of commands that are not run here, the reason, and where they are tested."""

    pattern: str
    reason: str
    tested_in: str


NOT_RUN = (
    NotRun(
        r"([A-Z_]+=\S+ )*make (demo|test|lint|mutation|faults|fuzz|killed-load|bench|release)",
        "installs packages, and runs the suite or parts of it",
        "Makefile",
    ),
    NotRun(r"([A-Z_]+=\S+ )*python -m (pytest|tests\.)", "runs the suite, or measures for minutes", "Makefile"),
    NotRun(r"pip install ", "changes this Python environment", "pyproject.toml"),
    NotRun(r"sharing demo( |$)", "runs for half a minute", "tests/testing/test_demo.py"),
    NotRun(
        r"sharing officers add .*--(drop-)?passkey ",
        "needs a passkey that a browser has made",
        "tests/cli/test_officer_passkeys.py",
    ),
    NotRun(
        r"sharing broker (up|status|down)",
        "starts a process that keeps running",
        "tests/cli/test_broker.py",
    ),
    NotRun(r"sharing top ", "needs a worker with its HTTP endpoints", "tests/monitoring/test_live_top.py"),
    NotRun(
        r"sharing topics apply",
        "the embedded broker cannot create topics through the Kafka protocol",
        "tests/kafka/test_topic_admin.py",
    ),
    NotRun(
        r"sharing asks answer .*--later-until ",
        "names a time that must be near",
        "tests/cli/test_asks_later.py",
    ),
    NotRun(
        r"sharing (publish .*--wait|items show .*--agency)",
        "waits for a gate, or reads what one has told",
        "tests/cli/test_outcomes_on_kafka.py",
    ),
    NotRun(
        r"sharing doctor\b",
        "with a broker it describes topics, which the embedded broker cannot do; without a broker it is run",
        "tests/docs",
    ),
)


class PageRunner:
    """Executes the blocks of one page, with a folder, a broker, and the gates that were started."""

    def __init__(self, page: str, folder: Path, bootstrap: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.page = page
        self.folder = folder
        self.bootstrap = bootstrap
        self.web_port = find_free_port()
        self._patch = monkeypatch
        self.gates: list[subprocess.Popen[bytes]] = []

    def process_block(self, block: Block) -> None:
        """Save, execute or check a block."""
        if block.file:
            path = self.folder / block.file
            path.parent.mkdir(exist_ok=True)
            path.write_text(_join_json_lines(block.text) if block.file.endswith(".jsonl") else block.text)
        match block.language:
            case "console":
                for command in parse_commands(block):
                    self.run_command(command)
            case "python" if not block.excerpt_of:
                self.execute_python(block)
            case "json":
                _check_json(block)
            case "yaml":
                yaml.safe_load(block.text)
            case "toml":
                tomllib.loads(block.text)
            case "python" | "" | "mermaid":
                pass  # an excerpt (see test_walkthrough.py), plain text, or a diagram that is made from the code
            case _:
                pytest.fail(f"{block.location}: a block in {block.language!r} is neither executed nor checked")

    def run_command(self, command: Command) -> None:
        """Run a command; if its output depends on a gate, repeat it until the output matches the page."""
        text = self.insert_addresses(command.text)
        words = shlex.split(text, comments=True)
        environment = {}
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            name, _, value = words.pop(0).partition("=")
            environment[name] = value
        if words[:1] == ["export"]:
            name, _, value = words[1].partition("=")
            self.set_variable(name, value)
        elif words[:1] == ["unset"]:
            for name in words[1:]:
                self._patch.delenv(name)
        elif words[:2] == ["sharing", "gate"]:
            self.start_gate(words, environment)
        elif words[:2] == ["sharing", "subscribe"] and "--once" not in words:
            self._stop_after_first_line(words)
        elif not self.is_excluded(text):
            self._run_and_compare(command, words, environment)

    def execute_python(self, block: Block) -> None:
        """Execute a Python block; stop an endless receiver after its first line of output."""
        source = self.insert_addresses(block.text)
        if "in subscriber:" in source and "stop_at_end" not in source:
            self._stop_after_first_line([sys.executable, "-u", "-c", source])
            return
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(compile(source, block.location, "exec"), self.make_namespace())  # noqa: S102 pages of this repository
        if "print(" in source and "error" not in source:
            assert printed.getvalue(), f"{block.location}: printed nothing"

    def set_variable(self, name: str, value: str) -> None:
        """Set an environment variable for the rest of the page."""
        self._patch.setenv(name, value)

    def make_namespace(self) -> dict[str, object]:
        """Return the namespace of a Python block: a new one."""
        return {"__name__": "__main__"}

    def stop_gates(self) -> None:
        """Wait until the gates run, stop them with SIGTERM, and expect exit code 0."""
        deadline = time.monotonic() + TIMEOUT_S
        while len(re.findall(r"worker \S+ runs", self._gate_log())) < len(self.gates) and time.monotonic() < deadline:
            time.sleep(0.1)
        for gate in self.gates:
            gate.send_signal(signal.SIGTERM)
        codes = [gate.wait(TIMEOUT_S) for gate in self.gates]
        assert not any(codes), f"{self.page}: gates ended with codes {codes}\n{self._gate_log()}"

    def kill_gates(self) -> None:
        """Kill all gates, whatever happened before."""
        for gate in self.gates:
            gate.kill()
            gate.wait(TIMEOUT_S)

    def _run_and_compare(self, command: Command, words: list[str], environment: dict[str, str]) -> None:
        depends_on_gate = self.may_change(words)
        deadline = time.monotonic() + (TIMEOUT_S if depends_on_gate else 0)
        longest = ""
        while True:
            code, printed = self.call_program(command, words, environment)
            longest = max(longest, printed, key=len)
            if code == command.exit_code and matches_output(command.shown, printed):
                return
            if time.monotonic() > deadline or any(gate.poll() is not None for gate in self.gates):
                break
            time.sleep(0.2)
        pytest.fail(
            f"{command.location}: $ {command.text}\n"
            f"exit code {code}, the page says {command.exit_code}\n--- the page shows\n"
            + "\n".join(command.shown)
            + f"\n--- printed\n{longest}\n{self._gate_log()}"
        )

    def may_change(self, words: list[str]) -> bool:
        """Return whether the output of a command changes until a gate has worked."""
        return bool(self.gates) and (words[0] == "curl" or words[:2] == ["sharing", "subscribe"])

    def call_program(self, command: Command, words: list[str], environment: dict[str, str]) -> tuple[int, str]:
        """Run a program of a page; return its exit code and output."""
        if words[0] == "curl":
            return _fetch(words[-1])
        if words[0] == "cp":
            copy = shutil.copytree if words[1] == "-r" else shutil.copy
            copy(ROOT / words[-2], self.folder / words[-1])
            return 0, ""
        if words[0] == "chmod":
            (self.folder / words[2]).chmod(int(words[1], 8))
            return 0, ""
        if words[0] == "openssl":
            return _run_openssl(words)
        if words[0] != "sharing":
            pytest.fail(f"{command.location}: {words[0]!r} is neither run here nor listed in NOT_RUN")
        printed = io.StringIO()
        with self._patch.context() as patch, redirect_stdout(printed), redirect_stderr(printed):
            patch.setattr(sys, "argv", words)
            for name, value in environment.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as system_exit:
                main()
        return int(system_exit.value.code or 0), printed.getvalue()

    def is_excluded(self, text: str) -> bool:
        """Return whether a command is not run here."""
        if text.startswith("sharing doctor") and "SHARING_BOOTSTRAP" not in os.environ:
            return False
        return any(re.match(entry.pattern, text) for entry in NOT_RUN)

    def start_gate(self, words: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
        """Start a gate in the background."""
        with (self.folder / "gate.log").open("ab") as log:
            gate = subprocess.Popen(make_command_line(words), env={**os.environ, **environment}, stdout=log, stderr=log)
        self.gates.append(gate)
        return gate

    def _stop_after_first_line(self, words: list[str]) -> None:
        with (self.folder / "errors.log").open("wb") as errors:
            process = subprocess.Popen(make_command_line(words), cwd=self.folder, stdout=subprocess.PIPE, stderr=errors)
        timer = _start_timer(TIMEOUT_S, process.kill)
        try:
            assert process.stdout is not None
            first_line = process.stdout.readline()
        finally:
            timer.cancel()
            process.terminate()
            process.communicate(timeout=TIMEOUT_S)
        errors_text = (self.folder / "errors.log").read_text()
        assert first_line.strip(), f"{self.page}: {words[:3]} printed nothing: {errors_text}\n{self._gate_log()}"

    def insert_addresses(self, text: str) -> str:
        """Return a text with the actual addresses in place of those of the pages."""
        return text.replace(BOOTSTRAP, self.bootstrap).replace(WEB_PORT, str(self.web_port))

    def _gate_log(self) -> str:
        log = self.folder / "gate.log"
        return f"--- gate\n{log.read_text()[-3000:]}" if log.exists() else ""


@pytest.fixture
def run_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Return a function that executes all blocks of a page."""
    for name in [name for name in os.environ if name.startswith("SHARING_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SHARING_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    for stream in (console.out, console.err):
        monkeypatch.setattr(stream, "_width", WIDTH)
    monkeypatch.chdir(tmp_path)
    write_samples(tmp_path)

    def run_blocks(page: Path) -> None:
        text = page.read_text(encoding="utf-8")
        with ExitStack() as stack:
            stack.callback(signal.signal, signal.SIGTERM, signal.getsignal(signal.SIGTERM))  # commands install handlers
            bootstrap = _start_broker(stack, page) if NEEDS_BROKER.search(text) else ""
            if bootstrap and "export SHARING_BOOTSTRAP" not in text:
                monkeypatch.setenv("SHARING_BOOTSTRAP", bootstrap)
            runner = PageRunner(get_page_name(page), tmp_path, bootstrap, monkeypatch)
            stack.callback(runner.kill_gates)
            for block in read_blocks(page):
                runner.process_block(block)
            runner.stop_gates()

    return run_blocks


def _start_broker(stack: ExitStack, page: Path) -> str:
    broker = stack.enter_context(EmbeddedBroker())
    for topic in list_topics(STATES, partitions=4).values():
        broker.create_topics([topic.name], partitions=topic.partitions)
    for state in RECEIVERS:
        kinds = (NOTICES, URGENT, OFFERS, REPLIES, DIRECTORY)
        broker.create_topics([kind.topic(state) for kind in kinds], partitions=1)
    if get_page_name(page) in ANNOUNCED_BEFORE:
        for entry in parse_entries(*sample_directory()):
            announce_entry(broker.bootstrap, entry)
    if get_page_name(page) in ASKED_BEFORE:
        put_questions(broker, page.parent)
    if get_page_name(page) in AUDITED_BEFORE:
        write_audit_logs(broker, Path.cwd())
    return broker.bootstrap


@pytest.mark.parametrize(
    "page",
    [page for page in list_pages() if any(read_blocks(page)) and FIRST_HOURS not in page.parents],
    ids=get_page_name,
)
def test_examples_do_what_the_page_shows(page: Path, run_page: Callable[[Path], None]) -> None:
    run_page(page)


@pytest.mark.parametrize("entry", NOT_RUN, ids=lambda entry: entry.pattern)
def test_excluded_commands_are_shown_on_a_page_and_tested_elsewhere(entry: NotRun) -> None:
    shown = [
        command.text
        for page in list_pages()
        for block in read_blocks(page)
        if block.language == "console"
        for command in parse_commands(block)
    ]
    assert any(re.match(entry.pattern, text) for text in shown), "no page shows this command: remove it from NOT_RUN"
    assert (ROOT / entry.tested_in).exists()


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("```console\n$ rm -rf /\n```\n", "'rm' is neither run here nor listed in NOT_RUN"),
        ("```console\n$ sharing law list\nnothing at all\n```\n", "the page shows"),
        ("```console\n$ sharing law show XX\n```\n", "exit code 2, the page says 0"),
        ("```console\n$ sharing law test --pack CH\n```\n", "exit code 2"),
        ("```sql\nselect 1\n```\n", "neither executed nor checked"),
    ],
)
def test_a_wrong_page_fails(page: str, message: str, tmp_path: Path, run_page: Callable[[Path], None]) -> None:
    wrong = tmp_path / "wrong.md"
    wrong.write_text(page)
    with pytest.raises(pytest.fail.Exception, match=re.escape(message)):
        run_page(wrong)


def test_gaps_match_any_text_or_lines() -> None:
    assert matches_output(("a", "…", "z"), "a\nz\n")
    assert matches_output(("a", "…", "z"), "a\nb\nc\nz\n")
    assert matches_output(("a … z",), "a b c z\n")
    assert not matches_output(("a … z",), "a b\nz\n")
    assert not matches_output(("a",), "a\nb\n")
    assert not matches_output(("a", "…"), "b\na\n")


def write_samples(folder: Path) -> None:
    """Write the files that the pages use but do not show."""
    server, wallet = _find_indicator("command-and-control"), _find_indicator("wallet")
    for name, text in {
        "event.json": sample_file("misp-kryptocibule.json").read_text(encoding="utf-8"),
        "profile.yaml": sample_profile("CH").read_text(encoding="utf-8"),
        "directory.yaml": sample_directory()[0],
        "item.jsonl": f"{server.to_json()}\n",
        "wallet.jsonl": f"{wallet.to_json()}\n",
    }.items():
        (folder / name).write_text(text, encoding="utf-8")


def _find_indicator(part_of_title: str) -> Indicator:
    return next(case.indicator for case in read_demo_cases() if part_of_title in case.title)


def _join_json_lines(text: str) -> str:
    return json.dumps(json.loads(text)) + "\n"


def _check_json(block: Block) -> None:
    """Check that a block is JSON or JSON lines."""
    try:
        json.loads(block.text)
    except json.JSONDecodeError:
        for line in block.text.splitlines():
            json.loads(line)


def make_command_line(words: list[str]) -> list[str]:
    """Return the command line; `sharing` is replaced by this Python environment's."""
    return (
        [sys.executable, "-c", "from sharing.cli import main; main()", *words[1:]] if words[0] == "sharing" else words
    )


def _run_openssl(words: list[str]) -> tuple[int, str]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed; everything before this command was executed")
    completed = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    return completed.returncode, completed.stdout


def _fetch(url: str) -> tuple[int, str]:
    """Fetch a URL in place of curl."""
    try:
        with urllib.request.urlopen(url, timeout=60) as response:  # noqa: S310 the gate's endpoint, on the loopback
            return 0, response.read().decode()
    except (urllib.error.URLError, OSError):
        return 7, ""


def _start_timer(seconds: float, action: Callable[[], None]) -> Timer:
    timer = Timer(seconds, action)
    timer.daemon = True
    timer.start()
    return timer
