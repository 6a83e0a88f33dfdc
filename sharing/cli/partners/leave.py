"""`sharing partners leave`: end the part of a State that leaves the exchange."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer

from sharing.cli.shared.clock_comparison import require_right_clock
from sharing.cli.shared.connection import Bootstrap, load_broker_settings
from sharing.cli.shared.console import AsJson, err, print_json, print_line
from sharing.cli.shared.kafka_commands import format_removal_command
from sharing.cli.shared.partners import PartnersFile
from sharing.cli.shared.states import read_state
from sharing.errors import InputError, SettingsError
from sharing.kafka.acl_admin import revoke_principals
from sharing.kafka.clients import look_up_topics
from sharing.kafka.departure import (
    Backlog,
    delete_topics,
    list_state_topics,
    measure_backlogs,
    require_deletion_right,
)
from sharing.kafka.directory_pins import read_directory_pins
from sharing.kafka.directory_reader import DirectoryReader
from sharing.kafka.quota_admin import remove_quotas
from sharing.kafka.tls import tls_properties
from sharing.model.times import format_time, to_milliseconds
from sharing.serialization.schema_registry import load_framing
from sharing.settings import Settings
from sharing.topology.acls import AclEntry, Principal
from sharing.topology.partners import read_partners
from sharing.topology.topic_kinds import TopicScope
from sharing.topology.topics import DIRECTORY
from sharing.trust.faults import TrustFault


class LeftTopics(StrEnum):
    """What becomes of the topics of a State that leaves.

    Attributes:
        KEEP: All stay, until a super user deletes them.
        EXCHANGE: Deletes what other States sent to it, and its directory topic.
        ALL: Deletes its national topics, too: indicators, decisions, inbox, drafts, quarantine, state.
    """

    KEEP = "keep"
    EXCHANGE = "exchange"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class DirectoryPresence:
    """What the directory says about the State.

    Attributes:
        status: IN_FORCE: gates send to it. REMOVED: it has no entry. With pins, it has signed that.
        is_verified: Whether it was verified from the pinned root.
        until: When the entry ends by itself, in UTC milliseconds; None if it does not.
        problem: Why it is not known whether it has an entry, as a code; "" if it is known.
        has_topic: Whether its directory topic exists.
    """

    status: str
    is_verified: bool
    until: int | None = None
    problem: str = ""
    has_topic: bool = True


@dataclass(frozen=True, slots=True)
class Departure:
    """What is, or would be, removed of a State.

    Attributes:
        state: The State.
        presence: What the directory says.
        backlogs: What waits in its topics.
        removed: Its access control entries.
        remaining: Entries of every client, which stay.
        quotas: The clients whose quotas are removed.
        kept: Its topics that stay.
        deleted: Its topics that are deleted.
    """

    state: str
    presence: DirectoryPresence
    backlogs: list[Backlog]
    removed: list[AclEntry]
    remaining: list[AclEntry]
    quotas: list[str]
    kept: list[str]
    deleted: list[str]


def leave(
    state: Annotated[str, typer.Argument(metavar="STATE", help="The State that leaves, such as DE.")],
    topics: Annotated[
        LeftTopics,
        typer.Option(
            help="Its topics: keep them, delete what was sent to it (exchange), or delete all. Super users only."
        ),
    ] = LeftTopics.KEEP,
    unsigned: Annotated[
        bool,
        typer.Option(
            "--unsigned", help="Continue although the State has not removed its entry, because it can no longer sign."
        ),
    ] = False,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Do it. Without this, only show what would be done.")
    ] = False,
    partners: PartnersFile = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Show what a State that leaves has open, and with --confirm end its part: rights, quotas and topics.

    Before it, the State removes its directory entry (`sharing directory remove`) and lets its gate process what waits.
    """
    settings, servers = load_broker_settings(bootstrap, partners=partners)
    code = _check_state(read_state("STATE", state), settings)
    tls = tls_properties(settings)
    names = list_state_topics(look_up_topics(servers, tls), code)
    presence = _read_presence(settings, servers, code, tls) if DIRECTORY.topic(code) in names else _ABSENT
    if confirm and presence.status == _IN_FORCE and not unsigned:
        raise InputError(
            f"{code} still has an entry in the directory: it must remove it with `sharing directory remove "
            f"--state {code}`. "
            f"If it cannot sign any more, give --unsigned, and let each State run `sharing trust remove {code}`"
        )
    if confirm and presence.problem and not unsigned:
        raise InputError(
            f"the directory cannot be read ({presence.problem}), so it is unknown whether {code} has removed its "
            "entry; see `sharing "
            "directory show`. If it cannot sign any more, give --unsigned"
        )
    if confirm and presence.has_topic and not unsigned:
        require_right_clock(servers, tls, "nothing was changed")  # by which the entry may only seem to have ended
    removed, remaining = revoke_principals(servers, _is_of(code), tls, dry_run=True)  # says who may do this
    backlogs = measure_backlogs(servers, code, tls)
    deleted = [name for name in names if _is_deleted(name, topics)]
    if confirm:
        require_deletion_right(servers, deleted, tls)
        removed, remaining = revoke_principals(servers, _is_of(code), tls)
    quotas = remove_quotas(servers, _is_of(code), tls, dry_run=not confirm)
    if confirm:
        delete_topics(servers, deleted, tls)
    kept = [name for name in names if name not in deleted]
    departure = Departure(code, presence, backlogs, removed, remaining, quotas, kept, deleted)
    if as_json:
        print_json(_to_document(departure, confirmed=confirm))
    else:
        _print_departure(departure, confirmed=confirm)
    if remaining:
        raise typer.Exit(1)


_OPERATOR_STEP = (
    "the operator: remove {state} from the partners file, or `topics apply --acls` grants its rights again; generate "
    "the deployment files again; issue its clients no further certificates"
)
_IN_FORCE, _REMOVED = "IN_FORCE", "REMOVED"
_ABSENT = DirectoryPresence(_REMOVED, is_verified=False, has_topic=False)


def _check_state(state: str, settings: Settings) -> str:
    """Return the State, if it can leave.

    Raises:
        InputError: It is the own State, or not in the partners file.
        SettingsError: No partners file is configured.
    """
    if state == settings.state:
        raise InputError(
            f"{state} is the State of this installation (SHARING_STATE): it removes its own entry with `sharing "
            "directory remove`, and the operator of the cluster runs this command"
        )
    if settings.partners is None:
        raise SettingsError("no partners file is configured: give --partners FILE, or set SHARING_PARTNERS")
    if state not in read_partners(settings.partners).states:
        raise InputError(
            f"{state} is not in {settings.partners}: name a State that is; if it was removed from the file before, "
            f"`sharing partners revoke {state}` removes its rights"
        )
    return state


def _read_presence(settings: Settings, servers: str, state: str, tls: Mapping[str, str]) -> DirectoryPresence:
    pins = read_directory_pins(settings) or {}
    own = {state: pins[state]} if state in pins else None
    reader = DirectoryReader(servers, tls, load_framing(settings, None), pins=own, states=[state])
    try:
        entry = reader.read_to_end().entries.get(state)
        problem = "" if entry is not None else reader.unreadable.get(state, "")
    finally:
        reader.close()
    is_verified = own is not None and not problem
    if entry is None:  # what has expired counts for nobody any more
        return DirectoryPresence(_REMOVED, is_verified, problem="" if problem == TrustFault.EXPIRED else problem)
    until = None if entry.valid_until is None else to_milliseconds(entry.valid_until)
    has_ended = until is not None and until < time.time() * 1000
    return DirectoryPresence(_REMOVED if has_ended else _IN_FORCE, is_verified, until)


def _is_of(state: str) -> Any:
    def is_of(principal: Principal) -> bool:
        return principal.state == state

    return is_of


def _is_deleted(topic: str, topics: LeftTopics) -> bool:
    return topics is LeftTopics.ALL or (
        topics is LeftTopics.EXCHANGE and not topic.startswith(f"{TopicScope.NATIONAL}.")
    )


def _list_next_steps(departure: Departure, *, confirmed: bool) -> list[str]:
    """Return what people must still do."""
    state = departure.state
    steps = []
    if departure.presence.status == _IN_FORCE:
        steps.append(
            f"{state} removes its entry: `sharing directory remove --state {state}`; until then, others send to it"
        )
    if any(backlog.records for backlog in departure.backlogs):
        steps.append(
            f"the gate of {state} opens and decides what waits, before its rights end; what it has not opened, nobody "
            "else can"
        )
    if not confirmed:
        steps.append("run this again with --confirm")
    steps += [
        f"every other State: `sharing trust remove {state}`, and a restart of its gate",
        _OPERATOR_STEP.format(state=state),
    ]
    if departure.kept:
        steps.append(f"a super user deletes the topics that stay: {', '.join(departure.kept)}")
    directory = DIRECTORY.topic(state)
    if directory in departure.kept:
        steps[-1] += f"; {directory} within a day, or every other State has the alert SharingDirectoryUnreadable"
    return steps


def _to_document(departure: Departure, *, confirmed: bool) -> dict[str, Any]:
    presence = departure.presence
    return {
        "state": departure.state,
        "dry_run": not confirmed,
        "entry": {
            "status": presence.status,
            "verified": presence.is_verified,
            "until": None if presence.until is None else format_time(presence.until),
        },
        "waiting": [
            {"topic": backlog.topic, "group": backlog.group, "records": backlog.records}
            for backlog in departure.backlogs
        ],
        "removed": [entry.to_document() for entry in departure.removed],
        "remaining": [entry.to_document() for entry in departure.remaining],
        "quotas": departure.quotas,
        "topics": {"kept": departure.kept, "deleted": departure.deleted},
        "next": _list_next_steps(departure, confirmed=confirmed),
    }


def _print_departure(departure: Departure, *, confirmed: bool) -> None:
    presence = departure.presence
    proof = "verified from its pinned root" if presence.is_verified else "not verified: its root is not pinned here"
    if not presence.has_topic:
        proof = "its directory topic does not exist"
    if presence.problem:
        proof = f"not verified: it cannot be read ({presence.problem})"
    until = "" if presence.until is None else f" until {format_time(presence.until)}"
    says = "entry in force" if presence.status == _IN_FORCE else "no entry in force"
    print_line(f"{departure.state}: {says}{until}, {proof}")
    for backlog in departure.backlogs:
        print_line(f"waiting  {backlog.topic}: {backlog.records:,} not read by {backlog.group}")
    verb = "removed" if confirmed else "would be removed"
    for entry in departure.removed:
        print_line(f"{verb}  {entry}")
    for name in departure.quotas:
        print_line(f"{verb}  quotas of {name}")
    for entry in departure.remaining:
        print_line(f"remains  {entry}, as every client; to remove it: {format_removal_command(entry)}")
    for name in departure.deleted:
        print_line(f"{'deleted' if confirmed else 'would be deleted'}  {name}")
    for name in departure.kept:
        print_line(f"stays  {name}")
    for number, step in enumerate(_list_next_steps(departure, confirmed=confirmed), start=1):
        err.print(f"{number}. {step}")
