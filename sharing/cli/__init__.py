"""The command line `sharing`; errors become one message and an exit code here.

There is one module or package per command, listed in `COMMANDS`. Commands do not import each other: options and helpers
that several commands use are in `shared`. `lazy_group` imports a command when it runs.
"""

from __future__ import annotations

import errno
import io
import logging
import os
import signal
import sys
from importlib.metadata import version
from typing import Annotated, NoReturn

import typer

from sharing.cli.lazy_group import CONTEXT_SETTINGS, CommandSource, add_placeholders, lazy_group
from sharing.console.printable import to_printable
from sharing.errors import SharingError

COMMANDS = {
    "demo": CommandSource("sharing.cli.demo", "demo", "Run the whole bus live, on sample data.", "gate", ("faust",)),
    "publish": CommandSource(
        "sharing.cli.publish", "publish", "Publish indicators from files, or preview who would get what."
    ),
    "subscribe": CommandSource("sharing.cli.subscribe", "subscribe", "Print the notices for a State as they arrive."),
    "gate": CommandSource("sharing.cli.gate", "gate", "Run one State's gate.", "gate", ("faust",)),
    "top": CommandSource("sharing.cli.top", "top", "Watch one worker: rates, lag, latency, alerts."),
    "desk": CommandSource("sharing.cli.desk", "desk", "Serve the duty desk: pages for officers.", "desk"),
    "law": CommandSource("sharing.cli.law", "app", "Law packs: list, test, lint, explain, rehearse, sign."),
    "directory": CommandSource("sharing.cli.directory", "app", "The directory of States: show, announce."),
    "keys": CommandSource("sharing.cli.keys", "app", "A State's own keys: init, issue, rotate, revoke, back up."),
    "trust": CommandSource("sharing.cli.trust", "app", "The pinned roots of other States: list, add, check."),
    "officers": CommandSource("sharing.cli.officers", "app", "Who may answer: list, add, sign, renew, revoke."),
    "asks": CommandSource("sharing.cli.asks", "app", "What people are asked: list, show, claim, pass on, answer."),
    "items": CommandSource("sharing.cli.items", "app", "What became of own items: list, show, recall, correct."),
    "inbox": CommandSource("sharing.cli.inbox", "app", "What the State has received: list, show."),
    "quarantine": CommandSource("sharing.cli.quarantine", "app", "What could not be processed, and why: list, show."),
    "audit": CommandSource(
        "sharing.cli.audit", "app", "The audit log: verify, prove, check a proof, answer supervisors."
    ),
    "broker": CommandSource("sharing.cli.broker", "app", "A real Kafka for local work.", "kafka-local"),
    "topics": CommandSource("sharing.cli.topics", "app", "The topic table: list, apply, ACLs."),
    "partners": CommandSource("sharing.cli.partners", "app", "The parties on a cluster: revoke rights, leave."),
    "settings": CommandSource(
        "sharing.cli.settings", "show_settings", "Show each setting and where its value comes from."
    ),
    "doctor": CommandSource("sharing.cli.doctor", "doctor", "Check the installation, law packs, clock and broker."),
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


def _print_version(requested: bool) -> None:
    if requested:
        sys.stdout.write(f"sharing {version('sharing-bus')}\n")
        raise typer.Exit


@app.callback()
def _root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    del show_version


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_PATH_SHOWN_MAX = 200
DEBUG_VARIABLE = "SHARING_LOG_LEVEL"


def main() -> None:
    """Run the command line. `docs/cli.md` lists the exit codes."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    if sys.stdout is None:  # closed by the shell: what is printed would be lost, and would count as received
        _print_error("standard output is closed; redirect it to a file or to /dev/null")
        sys.exit(2)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # for any file name, on a terminal of any encoding
    received_signals: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: _exit_on_signal(number, received_signals))
    try:
        app()
    except SharingError as error:
        _print_sharing_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except Exception as error:  # noqa: BLE001 users never see a traceback
        if received_signals:  # a C library may replace the SystemExit that was raised inside its callback
            sys.exit(128 + received_signals[0])
        sys.exit(_print_unexpected_error(error))


def _print_unexpected_error(error: Exception) -> int:
    """Print what is known of an error that no command has explained; return the exit code."""
    is_debugging = os.environ.get(DEBUG_VARIABLE) == "debug"
    if isinstance(error, OSError) and error.errno in _FULL:
        _print_error(f"the output cannot be written ({error.strerror}); free some space, and run this again")
    elif isinstance(error, OSError) and isinstance(error.filename, str | bytes) and not is_debugging:
        _print_error(f"{os.fsdecode(error.filename)[:_PATH_SHOWN_MAX]}: cannot be used ({error.strerror})")
        return 2
    elif is_debugging:  # code locations only: the message may hold content
        from sharing.telemetry.logs import describe_exception  # noqa: PLC0415 only when something failed

        _print_error(describe_exception(error))
    else:
        _print_error(
            f"unexpected {type(error).__name__}; this is a bug. "
            f"Run again with {DEBUG_VARIABLE}=debug and report what it prints."
        )
    return 3


def _print_sharing_error(error: SharingError) -> None:
    _print_error(str(error), *getattr(error, "__notes__", ()))


def _print_error(message: str, *notes: str) -> None:
    from sharing.cli.shared.console import err  # noqa: PLC0415 only when something failed

    for text in (f"error: {message}", *notes):
        for line in text.splitlines():
            err.print(to_printable(line), style="red")


def _exit_on_signal(number: int, received_signals: list[int]) -> NoReturn:
    """Exit with the code of the signal; cleanup on the way leaves consumer groups and stops child processes."""
    received_signals.append(number)
    sys.exit(128 + number)
