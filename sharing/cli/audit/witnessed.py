"""`sharing audit witnessed`: what this State has seen of the audit logs of others, and which have forked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Annotated, Any, Final, NamedTuple

import typer

from sharing.audit.witnessing import WitnessedLog
from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, add_row, err, make_table, out, print_json, unwrapped_column
from sharing.cli.shared.console_connection import StateOption, connect_console
from sharing.cli.shared.states import read_state
from sharing.console.connection import ConsoleConnection
from sharing.kafka.conversation_reader import name_console_group
from sharing.kafka.topic_range import TopicRange
from sharing.model.times import format_time
from sharing.serialization.codec import get_codec
from sharing.topology.topics import CONVERSATIONS

SEEN_PREFIX: Final = b"audit/seen/"


class SeenLog(NamedTuple):
    """What was seen of a log.

    Attributes:
        origin: Name of the log.
        log: What is known of it.
    """

    origin: str
    log: WitnessedLog

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON. Notes are texts, which anybody can verify with the keys of the State."""
        last = self.log.last
        return {
            "log": self.origin,
            "owner": last.place.state,
            "blocks": last.size,
            "first_blocks": self.log.first_size,
            "root": last.root.hex(),
            "signed_at": format_time(last.signed_at),
            "forked": bool(self.log.evidence),
            "checkpoint": self.log.seen[-1].decode(),
            "evidence": [note.decode() for note in self.log.evidence],
        }


def list_witnessed(
    state: StateOption = None,
    owner: Annotated[str | None, typer.Option("--owner", metavar="STATE", help="Only the logs of this State.")] = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """List how far the State has seen each audit log that it follows, its own included, and which have forked.

    With --json, each log has its last checkpoint, and of a fork the two checkpoints that prove it. Exit code 1: a log
    has forked.
    """
    console = connect_console(bootstrap, state)
    wanted = None if owner is None else read_state("--owner", owner)
    seen = [
        each
        for each in sorted(_read_seen(console), key=lambda each: each.origin)
        if wanted in {None, each.log.last.place.state}
    ]
    if as_json:
        for each in seen:
            print_json(each.to_json())
    elif not seen:
        err.print(f"{console.state} has seen no checkpoint; SHARING_WITNESS_FOR names the States that it witnesses")
    else:
        table = make_table(unwrapped_column("log"), "blocks", "watched since block", "signed", "fork")
        for each in seen:
            last = each.log.last
            fork = "FORKED: see --json" if each.log.evidence else "none"
            add_row(table, each.origin, last.size, each.log.first_size, format_time(last.signed_at), fork)
        out.print(table)
    if any(each.log.evidence for each in seen):
        raise typer.Exit(1)


def _read_seen(console: ConsoleConnection) -> Iterator[SeenLog]:
    """Yield what the State's worker has committed about logs.

    Raises:
        DecodeError: An entry cannot be read.
        InfrastructureError: No broker answers, or the topic cannot be read.
    """
    group = name_console_group(console.state, "audit")
    topic = CONVERSATIONS.topic(console.state)
    found: dict[bytes, bytes] = {}
    with closing(TopicRange(console.servers, topic, group, properties=console.properties)) as opened:
        for batch in opened.read_batches():
            for message in batch:
                key, value = message.key() or b"", message.value()
                if key.startswith(SEEN_PREFIX) and value:
                    found[key] = value
    for key, value in found.items():
        fields = get_codec("gate_state").decode(value)["witnessed_log"]
        yield SeenLog(key.removeprefix(SEEN_PREFIX).decode(), WitnessedLog.from_fields(fields))
