"""The command line: `sharing`. One module a command, or a folder; errors become one sentence and an exit code here."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
from importlib.metadata import version
from typing import Annotated, NoReturn

import typer

from sharing.cli.lazy_group import CONTEXT_SETTINGS, CommandSource, add_placeholders, lazy_group
from sharing.errors import SharingError

COMMANDS = {
    "demo": CommandSource("sharing.cli.demo", "demo", "Run the main job on shipped data, live.", "gate"),
    "publish": CommandSource(
        "sharing.cli.publish", "publish", "Publish files of indicators, or see who would get what."
    ),
    "subscribe": CommandSource("sharing.cli.subscribe", "subscribe", "Print the notices to a State as they come."),
    "gate": CommandSource("sharing.cli.gate", "gate", "Run one State's gate.", "gate"),
    "top": CommandSource("sharing.cli.top", "top", "Watch one worker: rates, lag, latency, alerts."),
    "law": CommandSource("sharing.cli.law", "app", "Law packs: list, test, lint, explain, rehearse, sign."),
    "directory": CommandSource("sharing.cli.directory", "app", "The directory of States: show, announce."),
    "broker": CommandSource("sharing.cli.broker", "app", "A real Kafka for local work.", "kafka-local"),
    "topics": CommandSource("sharing.cli.topics", "app", "The topic table: list, apply, ACLs."),
    "settings": CommandSource("sharing.cli.settings", "show", "Show each setting and where it comes from."),
    "doctor": CommandSource("sharing.cli.doctor", "doctor", "Check installation, law packs, clock and broker."),
}

app = typer.Typer(
    name="sharing",
    cls=lazy_group(COMMANDS),
    help="Spontaneous information between States: law-filtered, explained, bound by conditions.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings=CONTEXT_SETTINGS,
)
add_placeholders(app, COMMANDS)


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"sharing {version('sharing-bus')}\n")
        raise typer.Exit


@app.callback()
def _root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    del show_version


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
            from sharing.telemetry.logs import describe_exception  # noqa: PLC0415 only when something failed

            _print_error(describe_exception(error))
            sys.exit(3)
        _print_error(
            f"unexpected {type(error).__name__}; this is a bug. "
            f"Run again with {DEBUG_VARIABLE}=debug and report what it prints."
        )
        sys.exit(3)


def _say_error(error: SharingError) -> None:
    _print_error(str(error), *getattr(error, "__notes__", ()))


def _print_error(message: str, *notes: str) -> None:
    from sharing.cli.console import err, printable  # noqa: PLC0415 only when something failed

    for text in (f"error: {message}", *notes):
        for line in text.splitlines():
            err.print(printable(line), style="red")


def _end(number: int, ended_by: list[int]) -> NoReturn:
    """Leave with the code of the signal: groups are left, and what was started is stopped."""
    ended_by.append(number)
    sys.exit(128 + number)
