"""The command line: `sharing`. One module a command, or a folder; errors become one sentence and an exit code here."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
from typing import NoReturn

import typer

from sharing.cli import broker, directory, law, settings, topics
from sharing.cli.console import err, printable
from sharing.cli.demo import demo
from sharing.cli.doctor import doctor
from sharing.cli.gate import gate
from sharing.cli.publish import publish
from sharing.cli.subscribe import subscribe
from sharing.cli.top import top
from sharing.errors import SharingError
from sharing.telemetry.logs import describe_exception

app = typer.Typer(
    name="sharing",
    help="Spontaneous information between States: law-filtered, explained, bound by conditions.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# The short ones fit the list of commands on 80 columns; each command's own help says more.
app.command(short_help="Run the main job on shipped data, live.")(demo)
app.command(short_help="Publish files of indicators, or see who would get what.")(publish)
app.command(short_help="Print the notices to a State as they come.")(subscribe)
app.command(short_help="Run one State's gate.")(gate)
app.command(short_help="Watch one worker: rates, lag, latency, alerts.")(top)
app.add_typer(law.app)
app.add_typer(directory.app)
app.add_typer(broker.app, short_help="A real Kafka for local work.")
app.add_typer(topics.app)
app.command("settings", short_help="Show each setting and where it comes from.")(settings.show)
app.command(short_help="Check installation, law packs, clock and broker.")(doctor)

DEBUG_VARIABLE = "SHARING_LOG_LEVEL"


def main() -> None:
    """Run the command line; the exit codes are those of `docs/cli.md`."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # whatever a file is called, and whatever the terminal knows
    ended_by: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: _end(number, ended_by))
    try:
        app()
    except SharingError as error:
        _say_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except Exception as error:  # noqa: BLE001 no traceback reaches a user
        if ended_by:  # a library in C may make another error of what was raised in its midst
            sys.exit(128 + ended_by[0])
        if os.environ.get(DEBUG_VARIABLE) == "debug":  # its lines of code, and not its text: that may hold content
            err.print(f"error: {printable(describe_exception(error))}", style="red")
            sys.exit(3)
        err.print(
            f"error: unexpected {type(error).__name__}; this is a bug. "
            f"Run again with {DEBUG_VARIABLE}=debug and report what it prints.",
            style="red",
        )
        sys.exit(3)


def _say_error(error: SharingError) -> None:
    for text in (f"error: {error}", *getattr(error, "__notes__", ())):
        for line in text.splitlines():
            err.print(printable(line), style="red")


def _end(number: int, ended_by: list[int]) -> NoReturn:
    """Leave with the code of the signal: groups are left, and what was started is stopped."""
    ended_by.append(number)
    sys.exit(128 + number)
