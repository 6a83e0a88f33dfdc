"""`sharing items show --agency`: what became of an agency's items, from what the agency may read: its outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sharing.cli.items.outcome_history import HistoryLine, OutcomeHistory
from sharing.cli.shared.agency_connection import AgencyConnection, connect_agency
from sharing.cli.shared.console import out, print_json, print_labelled, print_line
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.unreadable import exit_if_incomplete, print_unreadable
from sharing.console.conversation_words import describe_time_left, format_revision
from sharing.console.outcome_words import describe_question
from sharing.console.own_items import shorten_name
from sharing.disclosure.terms import list_approvals
from sharing.errors import InputError, SharingError
from sharing.kafka.key_partition import find_partition
from sharing.kafka.outcome_reader import choose_partitions
from sharing.kafka.unreadable_records import Unreadable
from sharing.model.times import DAY_MS, format_time
from sharing.outcomes.block_writing import UNKNOWN_ID, pack_id
from sharing.outcomes.outcome import ItemOutcome
from sharing.packs.library import find_law
from sharing.packs.signature import read_public_keys
from sharing.settings import Settings
from sharing.topology.topics import OUTCOMES

_POLL_SECONDS = 0.5


def show_outcomes(
    names: Sequence[str],
    settings: Settings,
    state: str,
    agency: str,
    servers: str,
    properties: dict[str, str],
    *,
    watch: bool,
    as_json: bool,
) -> None:
    """Show what became of an agency's items.

    Args:
        names: Ids of their indicators.
        settings: The settings.
        state: The State.
        agency: The agency.
        servers: Kafka bootstrap servers.
        properties: Further librdkafka properties, such as those of TLS.
        watch: Whether to go on, and print what happens to them; then an item need not be known yet.
        as_json: Whether to print JSON: a line for each item; with `watch`, a line for each thing that happens.

    Raises:
        InputError: A name is not the id of an indicator, or nothing is known of an item.
        InfrastructureError: No broker answers, or the topic cannot be read.
        typer.Exit: With code 1, if a record could not be read.
    """
    for name in names:
        if pack_id(name) == UNKNOWN_ID:
            raise InputError(
                f"{shorten_name(name)}: is not the id of an indicator; `sharing publish --json` and its receipt "
                "list the ids"
            )
    connection = connect_agency(settings, state, agency, servers, properties)
    topic = connection.topic
    identities = list(dict.fromkeys(name.lower() for name in names))
    approvals = _find_approvals(settings, state)
    histories = {
        identity: OutcomeHistory(identity, find_partition(identity.encode(), topic.partitions), approvals)
        for identity in identities
    }
    positions = choose_partitions(topic, {history.partition for history in histories.values()})
    unreadable: Unreadable = []
    with connection.open_reader(positions, unreadable) as reader:
        for items in reader.read_to_end():
            _take(histories, items)
        count = print_unreadable(unreadable)
        for history in histories.values():
            if not watch:
                _require_known(connection, history)
            _print(connection, history, as_json=as_json, as_lines=watch)
        while watch and not out.is_closed:
            unreadable.clear()
            for history, line in _take(histories, reader.poll(_POLL_SECONDS)):
                _print_line(history, line, as_json=as_json, is_labelled=len(histories) > 1)
            count += print_unreadable(unreadable)
    exit_if_incomplete(count, "something may be missing here; the State's officers can read the rest")


def _find_approvals(settings: Settings, state: str) -> dict[str, int]:
    """Return how many officers must approve, by rule, under the law that is installed here; empty if none is."""
    try:
        law = find_law(state, settings.packs, settings.pack, keys=read_public_keys(settings.pack_key))
    except SharingError:  # an agency needs no law to see what became of its items
        return {}
    return list_approvals(law.pack.rules)


def _take(
    histories: dict[str, OutcomeHistory], items: Iterable[ItemOutcome]
) -> list[tuple[OutcomeHistory, HistoryLine]]:
    """Add what was reported, and return the lines, each with the item that it is about."""
    lines = []
    for item in items:
        history = histories.get(item.indicator_id or "")
        if history is not None:
            lines += [(history, line) for line in history.add(item)]
    return lines


def _require_known(connection: AgencyConnection, history: OutcomeHistory) -> None:
    """Refuse an item of which nothing is known.

    Raises:
        InputError: Nothing is.
    """
    if not history.lines:
        topic = connection.topic
        raise InputError(
            f"{history.indicator}: {topic.name} has nothing about such an item of {topic.agency}: it was not "
            "published there, has not been decided yet (wait for it with --watch), or was decided more than "
            f"{OUTCOMES.retention_ms // DAY_MS} days ago"
        )


def _print(connection: AgencyConnection, history: OutcomeHistory, *, as_json: bool, as_lines: bool) -> None:
    if as_json and not as_lines:
        print_json(_describe(connection, history))
        return
    if not as_json:
        _print_head(connection, history)
    for line in history.lines:
        _print_line(history, line, as_json=as_json)
    if not as_json:
        _print_questions(history)


def _describe(connection: AgencyConnection, history: OutcomeHistory) -> dict[str, Any]:
    return {
        "id": history.indicator,
        "version": history.newest.version,
        "amendment": history.newest.amendment,
        "state": connection.topic.state,
        "agency": connection.topic.agency,
        "partition": history.partition,
        "timeline": [line.to_json() for line in history.lines],
        "deliveries": history.describe_deliveries(),
        "open_asks": history.list_questions(),
    }


def _print_head(connection: AgencyConnection, history: OutcomeHistory) -> None:
    topic = connection.topic
    print_line(f"indicator {history.indicator} of {topic.agency}, {topic.state}", style="bold")
    if history.newest.version > 0:
        print_labelled("version", format_revision(*history.newest))
    for state, status in history.describe_deliveries().items():
        print_labelled("delivery", f"{state}: {status}")
    print_labelled("read", f"partition {history.partition} of {topic.name}", style="dim")


def _print_line(history: OutcomeHistory, line: HistoryLine, *, as_json: bool, is_labelled: bool = False) -> None:
    if as_json:
        print_json({"id": history.indicator, **line.to_json()})
        return
    label = f"{history.indicator}  " if is_labelled else ""
    revision = "" if line.revision is None else f" [version {line.revision}]"
    print_line(f"{format_time(line.at)}  {label}{line.text}{revision}")


def _print_questions(history: OutcomeHistory) -> None:
    now = read_clock()
    for question, until in zip(history.list_questions(), history.questions.values(), strict=True):
        if until is not None:
            left, what = describe_time_left(until, now), describe_question(question["ask"])
            print_line(f"{format_time(until)}  open, {left}: {what} ({', '.join(question['states'])})")
