"""`sharing keys resend`: send again, under the new gate key, what other States refused under the revoked one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from sharing.cli.shared.connection import Bootstrap, load_client_settings
from sharing.cli.shared.console import AsJson, err, print_json, print_line, progress_bar
from sharing.cli.shared.instants import parse_instant, read_clock
from sharing.cli.shared.kafka_commands import format_addition_command, format_removal_command
from sharing.cli.shared.key_options import Folder, locate_folder
from sharing.errors import InfrastructureError, InputError, SettingsError
from sharing.kafka.directory_reader import DirectoryReader
from sharing.kafka.resending import ResendCounts, Resending
from sharing.kafka.tls import read_identity
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.online_keys import list_opening_key_ids
from sharing.model.times import format_time
from sharing.seal.faults import SealError
from sharing.seal.indicator_record import SCHEMA_NAME, decode_head
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import Framing
from sharing.serialization.schema_registry import load_framing
from sharing.settings import Settings
from sharing.topology.acls import Principal, make_resend_rule
from sharing.topology.topic_kinds import Role
from sharing.topology.topics import DIRECTORY
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.public_keys import KeyRole


def resend(
    since: Annotated[
        str, typer.Option("--since", help="Start of the period, by the broker's time of arrival.", metavar="TIME")
    ],
    until: Annotated[
        str | None, typer.Option("--until", help="End of the period, exclusive. Default: now.", metavar="TIME")
    ] = None,
    state: Annotated[str | None, typer.Option("--state", help="The State. Default: SHARING_STATE.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count the records; needs no permission to write.")
    ] = False,
    folder: Folder = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Write a State's indicators again, so that its gate sends the same messages under the key that is in force now.

    For the time after a gate key was revoked: other States refuse what it had signed and they had not opened. The gate
    decides again; receivers drop what they have. A run that was interrupted goes on when it is started again.
    """
    settings, servers, tls = load_client_settings(bootstrap, state=state, key_folder=folder)
    code = _identify_state(settings)
    chosen = ResendRange(*_parse_range(since, until))
    key_folder = locate_folder(settings)
    keys = _read_own_keys(key_folder, code)
    framing = load_framing(settings, code)
    is_lost = _make_loss_test(list_opening_key_ids(key_folder, keys, read_clock()), framing)
    with Resending(servers, code, chosen.since_ms, chosen.until_ms, tls) as resending:
        if not dry_run:
            _require_write_right(resending, code)
            _require_published(servers, key_folder, keys, tls, framing)
        resending.begin(dry_run=dry_run)
        if not resending.total and not resending.is_continued:
            raise InputError(
                f"{', '.join(resending.topics)}: no records from {chosen}; what counts is the broker's time of "
                "arrival of an indicator"
            )
        with progress_bar("writing again", resending.total) as report:
            counts = resending.write_again(is_lost, report)
        result = ResendResult(code, chosen, counts, dry_run=dry_run, is_continued=resending.is_continued)
    if as_json:
        print_json(result.to_document())
    else:
        result.print_lines()
    if not dry_run and tls:
        (entry,) = make_resend_rule(code).entries
        err.print(f"remove the permission to write again: {format_removal_command(entry)}")
    if counts.lost.total():
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class ResendRange:
    """The range of a run: since when, and until when, exclusive, in UTC milliseconds."""

    since_ms: int
    until_ms: int | None

    def __str__(self) -> str:
        """Return it as the end of a sentence."""
        return f"{format_time(self.since_ms)} to {'now' if self.until_ms is None else format_time(self.until_ms)}"


@dataclass(frozen=True, slots=True)
class ResendResult:
    """What a run has done.

    Attributes:
        state: The State.
        chosen: The range.
        counts: What became of the records.
        dry_run: Whether nothing was written.
        is_continued: Whether it went on where an earlier run had stopped.
    """

    state: str
    chosen: ResendRange
    counts: ResendCounts
    dry_run: bool
    is_continued: bool

    def to_document(self) -> dict[str, Any]:
        """Return it for JSON output."""
        counts = self.counts
        return {
            "state": self.state,
            "since": format_time(self.chosen.since_ms),
            "until": None if self.chosen.until_ms is None else format_time(self.chosen.until_ms),
            "dry_run": self.dry_run,
            "continued": self.is_continued,
            "written": counts.written.total(),
            "topics": dict(+counts.written),
            "not_openable": dict(+counts.lost),
            "oversized": counts.oversized,
            "unreadable_batches": counts.unreadable,
        }

    def print_lines(self) -> None:
        """Print it for people."""
        counts = self.counts
        verb = "would be written again" if self.dry_run else "written again"
        for topic, number in (+counts.written).items():
            print_line(f"{topic}  {number:,}")
        total = counts.written.total()
        if self.is_continued and not total:
            print_line(
                f"nothing is left from {self.chosen}: an earlier run with these arguments has written again what had "
                "arrived when it began; for what arrived later, give a later --since"
            )
        else:
            rest = ", the rest of an earlier run" if self.is_continued else ""
            print_line(f"{total:,} records {verb}{rest}")
            err.print(
                "the gate decides each of them again, withholds older versions of an item, and sends the same ids, "
                "signed with its key in force; a receiver that has already opened one drops the duplicate"
            )
            err.print(
                "this does not include what the conversation sent, such as corrections, recalls, offers and answers: "
                "an officer sends it again with `sharing items send-again`"
            )
        for topic, number in (+counts.lost).items():
            err.print(
                f"{topic}: {number:,} records are sealed to a seal key that was revoked or is not in the key folder, "
                "and were left out: nobody can open them; their agency publishes them again, with the same ids"
            )
        if counts.oversized or counts.unreadable:
            err.print(
                f"left out: {counts.oversized:,} records that are too large, {counts.unreadable:,} batches that cannot "
                "be read; the gate had quarantined them, and nothing was sent of them"
            )


def _identify_state(settings: Settings) -> str:
    """Return the State.

    Raises:
        SettingsError: None is given, or the certificate is not that of its gate.
    """
    if settings.state is None:
        raise SettingsError("which State? give --state CH, or set SHARING_STATE")
    identity, gate = read_identity(settings), Principal(Role.GATE, settings.state)
    if identity is not None and identity.principal != gate:
        raise SettingsError(
            f"the certificate in {settings.tls_certificate} belongs to {identity.name or 'nobody'}; this needs the "
            f"certificate of {gate.name}, which reads indicators"
        )
    return settings.state


def _parse_range(since: str, until: str | None) -> tuple[int, int | None]:
    now = read_clock()
    since_ms = parse_instant(since, "--since")
    until_ms = None if until is None else parse_instant(until, "--until")
    for option, instant in (("--since", since_ms), ("--until", until_ms)):
        if instant is not None and instant > now:
            raise InputError(f"{option} is in the future ({format_time(instant)}); it is now {format_time(now)}")
    if since_ms < 0:
        raise InputError("--since is before 1970; give the time from which messages were refused")
    if until_ms is not None and until_ms <= since_ms:
        raise InputError("--until must be later than --since")
    return since_ms, until_ms


def _read_own_keys(folder: KeyFolder, state: str) -> TrustedKeys:
    """Return the State's newest key statement, if it names a gate key in force.

    Raises:
        InputError: The folder is another State's, or no gate key is in force.
    """
    roots = folder.read_roots()
    if roots[-1].state != state:
        raise InputError(f"{folder.path} is the key folder of {roots[-1].state}; give that of {state}")
    keys = folder.read_keys(roots)
    if keys is None or keys.statement.find_usable_key(KeyRole.GATE, read_clock()) is None:
        raise InputError(
            f"{state} has no gate key in force, so its gate sends nothing: `sharing keys issue --role gate` makes one; "
            "copy the key folder to the workers, and run this a minute later"
        )
    return keys


def _require_published(
    servers: str, folder: KeyFolder, keys: TrustedKeys, tls: Mapping[str, str], framing: Framing
) -> None:
    """Check that other States can know the key under which everything will be sent.

    Raises:
        InfrastructureError: The directory does not have the newest key statement yet.
    """
    state = keys.state
    pins = {state: folder.read_roots()[0].to_pin()}
    with closing(DirectoryReader(servers, tls, framing, pins=pins, states=[state], change_interval_s=0)) as reader:
        reader.read_to_end()
        published = reader.trusted_keys.get(state)
    wanted = keys.statement.version
    if published is None or published.statement.version < wanted:
        raise InfrastructureError(
            f"{DIRECTORY.topic(state)} does not have key statement {wanted} yet, so other States would refuse the new "
            "key: copy the key folder to the workers, which publish it within seconds, and run this a minute later"
        )


def _require_write_right(resending: Resending, state: str) -> None:
    denied = resending.list_denied_topics()
    if denied:
        rule = make_resend_rule(state)
        raise InfrastructureError(
            f"{rule.principal.name} may not write to {', '.join(denied)}, a permission that is granted for this run "
            f"only: ask the operator to run `{format_addition_command(rule)}`, and to remove it afterwards"
        )


def _make_loss_test(opening_key_ids: frozenset[str], framing: Framing) -> Callable[[bytes], bool]:
    """Return the function that says of the value of a record whether nobody can open it any more."""
    header = get_codec(SCHEMA_NAME).header

    def is_lost(value: bytes) -> bool:
        plain = framing.to_single_object(value) or b""
        if not plain.startswith(header):
            return False
        try:
            return decode_head(plain).seal_key not in opening_key_ids
        except SealError:  # damaged: the gate says so, as it did before
            return False

    return is_lost
