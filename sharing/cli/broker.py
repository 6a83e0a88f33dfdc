"""`sharing broker`: a real Kafka for local work."""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sharing.cli.console import AsJson, err, print_json
from sharing.cli.topics import PartnersFile
from sharing.errors import InputError
from sharing.settings import load_settings
from sharing.testing.broker.kafka import KafkaBroker, KafkaState, KafkaStatus
from sharing.testing.broker.secure import PARTNERS_FILE, SecureKafka
from sharing.testing.samples import sample_partners
from sharing.topology.acls import OPERATOR, principals
from sharing.topology.partners import Partners, parse_partners, read_partners
from sharing.topology.topics import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

app = typer.Typer(
    name="broker",
    help="A real Kafka for local work, without Docker, root or a system Java.",
    no_args_is_help=True,
)

Folder = Annotated[
    Path | None,
    typer.Option(help="Where the broker's files go; `kafka` in the setting SHARING_HOME when not given."),
]
Port = Annotated[
    int,
    typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes that of the last run, or a free one."),
]


def default_folder() -> Path:
    """Return where `sharing broker` keeps its Kafka."""
    return load_settings().folder / "kafka"


@app.command()
def up(
    port: Port = 0,
    folder: Folder = None,
    secure: Annotated[
        bool, typer.Option("--secure", help="With certificates made on the spot, topics, and nothing but their rights.")
    ] = False,
    partners: PartnersFile = None,
    name: Annotated[
        str | None, typer.Option("--as", help="With --secure: whose settings are printed; the operator's if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start the broker, and wait until it answers. It runs on when this command has ended."""
    place = folder or default_folder()
    if secure:
        kept = place / PARTNERS_FILE
        chosen = read_chosen(partners, kept if kept.is_file() else None)
        _up_secure(place, port, chosen, name, as_json=as_json)
        return
    if partners is not None or name is not None:
        raise InputError("--partners and --as are for --secure")
    with _show_progress() as on_progress:
        status = KafkaBroker(place, port, on_progress=on_progress).start()
    if as_json:
        print_json(_as_document(status) | {"already_running": status.already_running})
        return
    _say_running(status)
    err.print("Programs find it through this line; stop it with: sharing broker down")
    # Alone on standard output, for: eval "$(sharing broker up)"
    typer.echo(f"export SHARING_BOOTSTRAP={status.bootstrap}")


def read_chosen(file: Path | None, kept: Path | None = None) -> Partners:
    """Return the partners of a file, of the settings, those `kept` from the last time, or the sample's.

    Raises:
        PackError: The file is not sound.
    """
    chosen = load_settings(partners=file).partners or kept
    return parse_partners(*sample_partners()) if chosen is None else read_partners(chosen)


def _up_secure(folder: Path, port: int, partners: Partners, name: str | None, *, as_json: bool) -> None:
    with _show_progress() as on_progress:
        kafka = SecureKafka(folder, partners, port, on_progress=on_progress)
        status = kafka.start()
    own = kafka.environment(name or OPERATOR.name)
    names = [principal.name for principal in principals(partners)]
    where = kafka.broker.certificates_folder
    if as_json:
        environments = {each: kafka.environment(each) for each in names}
        more = {"already_running": status.already_running, "certificates": str(where), "environments": environments}
        print_json(_as_document(status) | more)
        return
    _say_running(status)
    err.print(
        f"Certificates and keys lie in {where}, for 7 days; `sharing broker down` and `up --secure` make new ones."
    )
    err.print(f"They are of: {', '.join(names)}.")
    there = "" if folder == default_folder() else f" --folder {shlex.quote(str(folder))}"
    gate = next((each for each in names if each.startswith(f"{Role.GATE}.")), OPERATOR.name)
    hint = f'To be one of these in a shell: eval "$(sharing broker up --secure{there} --as {gate})"'
    err.print(hint, markup=False, soft_wrap=True)
    for variable, value in own.items():
        typer.echo(f"export {variable}={shlex.quote(value)}")


def _say_running(status: KafkaStatus) -> None:
    verb = "is running already" if status.already_running else "is running"
    err.print(f"Kafka {status.version} {verb} at {status.bootstrap} (process {status.pid}), in {status.folder}.")


@app.command()
def status(folder: Folder = None, as_json: AsJson = False) -> None:
    """Say whether the broker runs; the exit code is 1 if it does not."""
    found = KafkaBroker(folder or default_folder()).status()
    if as_json:
        print_json(_as_document(found))
    else:
        _print_lines(found)
        if found.detail:
            typer.echo(found.detail, err=True)
    if not found.running:
        raise typer.Exit(1)


@app.command()
def down(folder: Folder = None, as_json: AsJson = False) -> None:
    """Stop the broker. Its topics are kept for the next time."""
    broker = KafkaBroker(folder or default_folder())
    stopped = broker.stop()
    if as_json:
        print_json(_as_document(broker.status()) | {"was_running": stopped})
        return
    say = f"Kafka is stopped; its topics stay in {broker.folder}." if stopped else "No broker was running."
    typer.echo(say)


@contextlib.contextmanager
def _show_progress() -> Iterator[Callable[[str], None]]:
    """On a terminal, the step at work with a spinner; elsewhere, a line for each."""
    if not err.is_terminal:
        yield err.print
        return
    with err.status("Looking at the broker") as spinner:
        yield spinner.update


def _as_document(status: KafkaStatus) -> dict[str, Any]:
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


_SENTENCES = {
    KafkaState.RUNNING: "running",
    KafkaState.SILENT: "its process lives, but does not answer; see the log, then: sharing broker down",
    KafkaState.DEAD: "it ended without being stopped; start it again with: sharing broker up",
    KafkaState.STOPPED: "not running; start it with: sharing broker up",
}


def _print_lines(status: KafkaStatus) -> None:
    typer.echo(f"Kafka {status.version}: {_SENTENCES[status.state]}")
    if status.running:
        typer.echo(f"  bootstrap  {status.bootstrap}")
    if status.pid:
        typer.echo(f"  process    {status.pid}, since {status.started_at:%Y-%m-%d %H:%M:%S} UTC")
    typer.echo(f"  folder     {status.folder}")
