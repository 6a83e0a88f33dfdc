"""`sharing broker`: start, inspect and stop a real Kafka for local work."""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sharing.cli.shared.console import AsJson, err, print_json
from sharing.cli.shared.partners import PartnersFile
from sharing.console.printable import to_printable
from sharing.errors import InputError
from sharing.settings import Settings, load_settings
from sharing.testing.broker.kafka import KafkaBroker, KafkaState, KafkaStatus
from sharing.testing.broker.secure_kafka import PARTNERS_FILE, SecureKafka
from sharing.testing.samples import sample_partners
from sharing.topology.acls import OPERATOR, list_principals
from sharing.topology.partners import Partners, parse_partners, read_partners
from sharing.topology.topic_kinds import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

app = typer.Typer(
    name="broker",
    help="A real Kafka for local work, without Docker, root or a system Java.",
    no_args_is_help=True,
)

Folder = Annotated[
    Path | None,
    typer.Option(help="Folder for the broker's files. Default: `kafka` under SHARING_HOME."),
]
Port = Annotated[
    int,
    typer.Option(help="Port on 127.0.0.1. 0 reuses the port of the last run, or picks a free one."),
]


PORT_MAX = 65_535


def _choose_folder(folder: Path | None) -> Path:
    """Return the folder that an option names, or the default.

    Raises:
        InputError: It is a file.
    """
    if folder is not None and folder.exists() and not folder.is_dir():
        raise InputError(
            f"--folder {to_printable(folder)}: is not a folder; name a folder, or one that does not exist yet"
        )
    return folder or default_folder()


def default_folder() -> Path:
    """Return the folder in which `sharing broker` keeps its Kafka."""
    return load_settings().home_folder / "kafka"


@app.command("up")
def start_broker(
    port: Port = 0,
    folder: Folder = None,
    secure: Annotated[
        bool,
        typer.Option("--secure", help="Use new certificates and ACLs: each principal has only its own permissions."),
    ] = False,
    partners: PartnersFile = None,
    name: Annotated[
        str | None, typer.Option("--as", help="With --secure: print the settings of this principal. Default: operator.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start the broker and wait until it answers. It keeps running after this command ends."""
    if not 0 <= port <= PORT_MAX:
        raise InputError(f"--port {port}: must be from 0 to {PORT_MAX}")
    broker_folder = _choose_folder(folder)
    if secure:
        saved = broker_folder / PARTNERS_FILE
        chosen = read_broker_partners(partners, saved if saved.is_file() else None)
        _start_secure(broker_folder, port, chosen, name, as_json=as_json)
        return
    if partners is not None or name is not None:
        raise InputError("--partners and --as need --secure")
    with _show_progress() as on_progress:
        status = KafkaBroker(broker_folder, port, on_progress=on_progress).start()
    if as_json:
        print_json(_to_document(status) | {"already_running": status.already_running})
        return
    _print_running(status)
    err.print(
        f"Run the next line in each shell that uses the broker. Stop it with: {format_down_command(broker_folder)}"
    )
    # The only line on standard output, for: eval "$(sharing broker up)"
    typer.echo(f"export SHARING_BOOTSTRAP={status.bootstrap}")


def read_broker_partners(file: Path | None, saved: Path | None = None) -> Partners:
    """Return the partners from the first of these that is given: `file`, SHARING_PARTNERS, `saved`, the sample.

    Args:
        file: The option `--partners`.
        saved: The partners file of the last run.

    Raises:
        InputError: The file is invalid.
    """
    chosen = load_settings(partners=file).partners or saved
    return parse_partners(*sample_partners()) if chosen is None else read_partners(chosen)


def _start_secure(folder: Path, port: int, partners: Partners, name: str | None, *, as_json: bool) -> None:
    with _show_progress() as on_progress:
        kafka = SecureKafka(folder, partners, port, on_progress=on_progress)
        status = kafka.start()
    settings = kafka.environment(name or OPERATOR.name)
    down = format_down_command(folder)
    names = [principal.name for principal in list_principals(partners)]
    certificates = kafka.broker.certificates_folder
    if as_json:
        print_json(
            {
                **_to_document(status),
                "already_running": status.already_running,
                "certificates": str(certificates),
                "environments": {principal: kafka.environment(principal) for principal in names},
            }
        )
        return
    _print_running(status)
    err.print(
        f"Certificates and keys are in {certificates}, valid for 7 days. "
        f"To renew them: `{down}`, then `sharing broker up --secure{_format_folder_option(folder)}`."
    )
    err.print(f"They are for: {', '.join(names)}.")
    option = _format_folder_option(folder)
    gate = next((principal for principal in names if principal.startswith(f"{Role.GATE}.")), OPERATOR.name)
    hint = f'To use one of them in a shell: eval "$(sharing broker up --secure{option} --as {gate})"'
    err.print(hint, markup=False, soft_wrap=True)
    for variable, value in settings.items():
        typer.echo(f"export {variable}={shlex.quote(value)}")


def _format_folder_option(folder: Path) -> str:
    """Return the option that names a folder, from wherever the command is run.

    It is nothing for the folder that is used without any setting: another shell may not have SHARING_HOME.
    """
    usual = Path(Settings.model_fields["home"].default).expanduser() / "kafka"
    return "" if folder.absolute() == usual else f" --folder {shlex.quote(str(folder.absolute()))}"


def format_down_command(folder: Path) -> str:
    """Return the command that stops the broker of a folder, from wherever it is run."""
    return f"sharing broker down{_format_folder_option(folder)}"


def _print_running(status: KafkaStatus) -> None:
    state = "was already running" if status.already_running else "is running"
    err.print(f"Kafka {status.version} {state} at {status.bootstrap} (process {status.pid}), in {status.folder}.")


@app.command("status")
def show_status(folder: Folder = None, as_json: AsJson = False) -> None:
    """Show whether the broker is running. The exit code is 1 if it is not."""
    status = KafkaBroker(_choose_folder(folder)).status()
    if as_json:
        print_json(_to_document(status))
    else:
        _print_status(status)
        if status.detail:
            typer.echo(status.detail, err=True)
    if not status.running:
        raise typer.Exit(1)


@app.command("down")
def stop_broker(folder: Folder = None, as_json: AsJson = False) -> None:
    """Stop the broker. Its topics are kept for the next start."""
    broker = KafkaBroker(_choose_folder(folder))
    was_running = broker.stop()
    if as_json:
        print_json(_to_document(broker.status()) | {"was_running": was_running})
        return
    typer.echo(
        f"Kafka is stopped. Its topics are kept in {broker.folder}." if was_running else "No broker was running."
    )


@contextlib.contextmanager
def _show_progress() -> Iterator[Callable[[str], None]]:
    """Yield a function that shows the current step: with a spinner on a terminal, else as a line."""
    if not err.is_terminal:
        yield err.print
        return
    with err.status("Checking the broker") as spinner:
        yield spinner.update


def _to_document(status: KafkaStatus) -> dict[str, Any]:
    return {
        "state": status.state.value,
        "running": status.running,
        "bootstrap": status.bootstrap or None,
        "version": status.version,
        "pid": status.pid,
        "started_at": status.started_at.isoformat() if status.started_at else None,
        "folder": str(status.folder),
        "log": str(status.log),
        "detail": status.detail,
    }


_STATE_TEXTS = {
    KafkaState.RUNNING: "running",
    KafkaState.SILENT: "the process runs but does not answer; check the log, then run: sharing broker down{option}",
    KafkaState.DEAD: "the process ended without being stopped; start it again with: sharing broker up{option}",
    KafkaState.STOPPED: "not running; start it with: sharing broker up{option}",
}


def _print_status(status: KafkaStatus) -> None:
    text = _STATE_TEXTS[status.state].format(option=_format_folder_option(status.folder))
    typer.echo(f"Kafka {status.version}: {text}")
    if status.running:
        typer.echo(f"  bootstrap  {status.bootstrap}")
    if status.pid:
        typer.echo(f"  process    {status.pid}, since {status.started_at:%Y-%m-%d %H:%M:%S} UTC")
    typer.echo(f"  folder     {status.folder}")
