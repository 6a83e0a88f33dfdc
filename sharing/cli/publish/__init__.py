"""`sharing publish`: publish indicators from files; every part of a file is published or listed with a reason."""

from __future__ import annotations

import gc
import math
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sharing.cli.publish.checking import check_everything
from sharing.cli.publish.dry_run import Predictor
from sharing.cli.publish.held_signals import HeldSignals
from sharing.cli.publish.outcome_report import print_outcomes, raise_unsettled
from sharing.cli.publish.outcome_waiting import WAIT_SECONDS, WaitResult, open_wait
from sharing.cli.publish.publishing import ItemFates, PublishingRun
from sharing.cli.publish.report import (
    print_document,
    print_remedy,
    print_summary,
    say_that_nothing_is_published,
    warn_of_unanswered_emergencies,
)
from sharing.cli.publish.sending import read_begin, send_items, send_load
from sharing.cli.shared.connection import Bootstrap, load_broker_settings
from sharing.cli.shared.console import AsJson, err
from sharing.cli.shared.directory_source import read_directory
from sharing.cli.shared.key_options import require_new_files
from sharing.cli.shared.states import read_state
from sharing.clients.publisher import new_id
from sharing.errors import InfrastructureError, InputError, NotDeliveredError
from sharing.geoip import open_geoip_lookup
from sharing.ids import make_imported_id
from sharing.interop.files import load_profile
from sharing.interop.id_secret import make_missing_secret_error, read_id_secret
from sharing.interop.import_context import FileFormat, ImportContext, PublisherIdentity
from sharing.interop.publishing_profile import NO_PROFILE
from sharing.kafka.tls import tls_properties
from sharing.packs.library import find_law
from sharing.packs.signature import read_public_keys
from sharing.relevance.nexus import no_geo_lookup
from sharing.settings import Settings, load_settings

if TYPE_CHECKING:
    from sharing.cli.publish.first_pass import CheckedInput


def publish(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="JSON lines, MISP events or STIX bundles; - is standard input.")
    ],
    state: Annotated[
        str | None, typer.Option("--state", help="The publishing State, such as CH. Default: SHARING_STATE.")
    ] = None,
    agency: Annotated[str | None, typer.Option("--agency", help="Name of the agency. Default: SHARING_AGENCY.")] = None,
    file_format: Annotated[FileFormat, typer.Option("--format", help="Format of the files.")] = FileFormat.AUTO,
    profile: Annotated[
        Path | None, typer.Option("--profile", help="YAML with facts that the files do not contain.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Publish nothing; show who would get what, and why.")
    ] = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Skip files that cannot be read, and publish the others.")
    ] = False,
    no_seal: Annotated[
        bool, typer.Option("--no-seal", help="Do not seal; only where the State runs its own cluster.")
    ] = False,
    directory: Annotated[
        Path | None,
        typer.Option("--directory", help="With --dry-run: YAML with the States' entries. Default: the broker's."),
    ] = None,
    receipt: Annotated[
        Path | None,
        typer.Option(
            "--receipt", help="New file that records what became of each line, to publish exactly once.", metavar="FILE"
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", help="Receipt of an earlier run: publish what is missing in it.", metavar="FILE"),
    ] = None,
    new_ids: Annotated[
        bool, typer.Option("--new-ids", help="Give new ids to lines that have none: each line is a separate item.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until the gate has said what became of each item.")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", help="With --wait: how many seconds. Default: 60.", metavar="SECONDS", min=0.1),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print how many items were published, and errors.")] = False,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Publish indicators from files. List what is not published, with its position and the reason."""
    _check_options(directory, receipt, resume, dry_run=dry_run, new_ids=new_ids)
    _check_waiting(timeout, wait=wait, dry_run=dry_run)
    with HeldSignals() as held:
        with say_that_nothing_is_published(), held.released():
            settings = load_settings(
                bootstrap=bootstrap,
                seal_to_worker=False if no_seal else None,
                state=None if state is None else read_state("--state", state),
                agency=agency,
            )
            publisher = _identify_publisher(settings)
            law = find_law(publisher.state, settings.packs, settings.pack, keys=read_public_keys(settings.pack_key))
            locate = no_geo_lookup if settings.geoip is None else open_geoip_lookup(settings.geoip)
            facts = load_profile(profile) if profile is not None else NO_PROFILE
            servers = settings.bootstrap if dry_run else load_broker_settings(bootstrap)[1]
            tls = tls_properties(settings)
            begun_at = None if resume is None else read_begin(resume, publisher)
            make_id = _choose_ids(settings, publisher, dry_run=dry_run, new_ids=new_ids)
            context = ImportContext(publisher, make_id, facts, file_format)
            gc.freeze()  # what is loaded by now stays: it need not be searched again and again
            checked = check_everything(files, context, settings, servers, tls, keep_going=keep_going, dry_run=dry_run)
            # Read the directory before publishing: a failure after it would look as if nothing had been published.
            predictor = Predictor(law, read_directory(directory, settings, tls), locate)
            waiting = open_wait(settings, publisher, servers, tls, begun_at) if wait and servers is not None else None
        if dry_run or servers is None:
            fates = ItemFates(checked.spool, lambda _: None)
            fates.settle_all(checked.own_versions)
        elif (load := receipt or resume) is not None:
            fates = send_load(checked, publisher, servers, tls, settings, load, held)
        else:
            fates = send_items(checked, publisher, servers, tls, settings, held)
        expect = None if waiting is None else waiting.expect
        run = fates.sum_up(None if quiet and not as_json else predictor, expect, held)
        told = None if waiting is None or run.is_cut else waiting.wait(timeout or WAIT_SECONDS, held)
        _print_report(checked, predictor, fates, told, dry_run=dry_run, quiet=quiet, as_json=as_json)
        run.interruption = run.interruption or held.take()
    if told is not None:
        raise_unsettled(told)
    is_faulty = bool(run.refused or (told and told.quarantined) or checked.unpublished.has_refused)
    _raise_failure(run, is_unreadable=bool(checked.unreadable), is_faulty=is_faulty)


def _print_report(
    checked: CheckedInput,
    predictor: Predictor,
    fates: ItemFates,
    told: WaitResult | None,
    *,
    dry_run: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Print what became of everything.

    Raises:
        InfrastructureError: It cannot be printed.
    """
    run = fates.run
    for error in checked.unreadable:
        err.print(f"not read: {error}")
    warn_of_unanswered_emergencies(checked.unanswered, checked.unanswered_count)
    try:
        if as_json:
            outcomes = None if told is None else told.to_document()
            print_document(checked, predictor.result, fates, outcomes, dry_run=dry_run)
        else:
            print_summary(checked, predictor.result, run, dry_run=dry_run, quiet=quiet)
            if told is not None:
                print_outcomes(told, quiet=quiet)
    except OSError as error:  # a full disk
        if run.is_cut:
            print_remedy(run)
        raise InfrastructureError(
            f"the report cannot be written ({error.strerror}); published: {0 if dry_run else run.published} of "
            f"{checked.total}"
        ) from None


def _check_options(
    directory: Path | None, receipt: Path | None, resume: Path | None, *, dry_run: bool, new_ids: bool
) -> None:
    """Check options that do not go together, and where the receipt is to be.

    Raises:
        InputError: They do not, or the receipt cannot be made.
    """
    if directory is not None and not dry_run:
        raise InputError("--directory needs --dry-run; otherwise the gate decides with the directory of the bus")
    if receipt is not None and resume is not None:
        raise InputError("--receipt begins a load and --resume continues one; give one of them")
    if receipt is None and resume is None:
        return
    if dry_run:
        raise InputError("--dry-run publishes nothing, so there is no receipt; leave --receipt and --resume out")
    if new_ids:
        raise InputError(
            "--new-ids gives different ids in each run, and a receipt needs the same ones; leave one of them out"
        )
    if receipt is not None and receipt.exists():
        raise InputError(f"{receipt}: already exists; continue its load with --resume {receipt}, or name a new file")
    if receipt is not None:
        require_new_files([receipt])


def _check_waiting(timeout: float | None, *, wait: bool, dry_run: bool) -> None:
    """Check the options of waiting.

    Raises:
        InputError: They do not go together.
    """
    if timeout is not None and not wait:
        raise InputError("--timeout needs --wait: it says how long to wait for what becomes of the items")
    if timeout is not None and not math.isfinite(timeout):
        raise InputError("--timeout must be a number of seconds, such as 60")
    if wait and dry_run:
        raise InputError("--dry-run publishes nothing, so there is nothing to wait for; leave --wait out")


def _identify_publisher(settings: Settings) -> PublisherIdentity:
    """Return the publishing State and agency, from the options or the settings.

    Raises:
        InputError: One of them is missing or wrong.
    """
    for name, value in (("state", settings.state), ("agency", settings.agency)):
        if value is None:
            raise InputError(f"--{name} is missing; give it, or set SHARING_{name.upper()}")
    return PublisherIdentity(str(settings.state), str(settings.agency))


def _choose_ids(
    settings: Settings, publisher: PublisherIdentity, *, dry_run: bool, new_ids: bool
) -> Callable[[Sequence[str]], str]:
    """Return the function that makes the ids of items from files. A dry run without a secret shows no id, and uses any.

    Raises:
        SettingsError: The secret cannot be used; or, when the function is called, none is set.
    """
    if new_ids:
        return lambda _: new_id()
    if settings.id_secret_file is not None:
        secret = read_id_secret(settings.id_secret_file)
    elif dry_run:
        secret = secrets.token_bytes(32)
    else:
        return _refuse_id
    return partial(make_imported_id, secret, publisher.state, publisher.agency)


def _refuse_id(_: Sequence[str]) -> str:
    raise make_missing_secret_error()


def _raise_failure(run: PublishingRun, *, is_unreadable: bool, is_faulty: bool) -> None:
    """End with the exit code that fits, after the report.

    Raises:
        SharingError: The run ended early, or the broker did not confirm some items.
        Exit: A file could not be read (2), or something that should have been published may not be (1).
    """
    if run.interruption is not None:
        print_remedy(run)
        raise run.interruption
    if run.failure is not None:
        print_remedy(run)
        if run.receipt:
            raise run.failure
        raise NotDeliveredError(str(run.failure), ())  # the report has listed them
    if is_unreadable:
        raise typer.Exit(2)
    if is_faulty:
        raise typer.Exit(1)
