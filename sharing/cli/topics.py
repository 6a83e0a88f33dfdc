"""`sharing topics`: the one table, as a table, onto a cluster, and as its access control list."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sharing.cli.connection import Bootstrap, settings_with_broker
from sharing.cli.console import AsJson, add_row, err, make_table, out, print_json, say, whole
from sharing.errors import InputError
from sharing.kafka.acl_admin import AclChange, apply_acls
from sharing.kafka.tls import tls_properties
from sharing.kafka.topic_admin import TopicChange, apply_topics
from sharing.model.countries import normalise_country
from sharing.packs.library import shipped_states
from sharing.serialization.schema_registry import Registry
from sharing.settings import Settings, load_settings
from sharing.topology.acls import AclEntry, AclPattern, acl_entries, acl_rules, principals
from sharing.topology.partners import Partner, Partners, read_partners
from sharing.topology.strimzi import (
    acl_commands,
    kafka_topics,
    kafka_users,
    quota_commands,
    removal_command,
    render,
)
from sharing.topology.topics import HOUR_MS, Topic, TopicKind

app = typer.Typer(name="topics", help="The topics of the bus: shown, and made on a cluster.", no_args_is_help=True)

StatesOption = Annotated[
    str | None,
    typer.Option(
        "--states",
        help="Country codes, separated by commas; those of the partners file, or with a shipped pack, if not.",
    ),
]
Partitions = Annotated[
    int | None,
    typer.Option("--partitions", min=1, max=1000, help="Partitions of each topic but the directory and the clock."),
]
PartnersFile = Annotated[
    Path | None,
    typer.Option("--partners", help="YAML with the States and agencies on the cluster; else SHARING_PARTNERS."),
]


_GIVEN = '--bootstrap-server "$SHARING_BOOTSTRAP" --command-config operator.properties'
"""Of each command for Kafka's own tools; the file has the operator's certificate."""


class AclFormat(StrEnum):
    """How rights are printed."""

    TABLE = "table"
    KAFKA_ACLS = "kafka-acls"
    STRIMZI = "strimzi"


def read_states(text: str | None) -> tuple[str, ...]:
    """Return country codes from a list with commas.

    Raises:
        InputError: One is unknown, or the list is empty.
    """
    if text is None:
        return shipped_states()
    states = tuple(normalise_country(part.strip()) for part in text.split(",") if part.strip())
    if not states:
        raise InputError("--states is empty; give country codes, such as --states CH,DE")
    return states


def choose_partners(settings: Settings, states: str | None, *, partitions: int | None = None) -> Partners:
    """Return the partners of the settings' file, or some that list no agencies but those of the settings.

    Args:
        settings: The settings.
        states: Country codes with commas: only these.
        partitions: Instead of the file's.

    Raises:
        InputError: A State is unknown, or not in the file.
        PackError: The file is not sound.
    """
    if settings.partners is None:
        found = Partners.of(read_states(states), settings.partitions, settings.replication)
        if settings.state in found.states and settings.agency_ids:
            own = {settings.state: Partner(agencies=list(settings.agency_ids))}
            found = found.model_copy(update={"states": {**found.states, **own}})
        return found
    found = read_partners(settings.partners)
    if partitions is not None:
        found = found.model_copy(update={"partitions": partitions})
    if states is not None:
        chosen = read_states(states)
        strange = [state for state in chosen if state not in found.states]
        if strange:
            raise InputError(f"--states: {', '.join(strange)} is not in {settings.partners}; add it there")
        found = found.model_copy(update={"states": {state: found.states[state] for state in chosen}})
    return found


@app.command("list")
def list_topics(
    states: StatesOption = None, partitions: Partitions = None, partners: PartnersFile = None, as_json: AsJson = False
) -> None:
    """Show every topic that a cluster with these States has."""
    settings = load_settings(partitions=partitions, partners=partners)
    wanted = choose_partners(settings, states, partitions=partitions).topics
    if as_json:
        print_json(
            [
                {
                    "name": topic.name,
                    "partitions": topic.partitions,
                    "schema": topic.kind.schema,
                    "key": topic.kind.key,
                    "writer": topic.kind.writer,
                    "reader": topic.kind.reader,
                    "config": topic.kind.config(),
                }
                for topic in wanted.values()
            ]
        )
        return
    table = make_table(whole("topic"), whole("partitions"), "kept", "key", "writer → reader")
    for topic in wanted.values():
        kind = topic.kind
        add_row(table, topic.name, topic.partitions, _kept(kind), kind.key, f"{kind.writer} → {kind.reader}")
    out.print(table)


@app.command(short_help="Make the missing ones on a cluster; say what differs.")
def apply(
    states: StatesOption = None,
    partitions: Partitions = None,
    partners: PartnersFile = None,
    acls: Annotated[bool, typer.Option("--acls", help="Also make the missing access control entries.")] = False,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Make the topics that are missing, and say what differs; nothing is ever shrunk or deleted."""
    settings, servers = settings_with_broker(bootstrap, partitions=partitions, partners=partners)
    wanted = choose_partners(settings, states, partitions=partitions)
    tls = tls_properties(settings)
    changes = apply_topics(servers, wanted.topics, wanted.replication, tls)
    entries_changed = apply_acls(servers, wanted, tls) if acls else []
    if settings.registry is not None:
        registered = Registry(settings.registry).register(wanted.topics.values())
        err.print(f"schemas: {sum(one.kind == 'registered' for one in registered)} of {len(registered)} registered now")
    if as_json:
        rows = [{"topic": change.topic, "change": change.kind, "detail": change.detail} for change in changes]
        print_json(rows + [{"acl": str(change.entry), "change": change.kind} for change in entries_changed])
    else:
        _show(changes)
        if acls:
            _show_entries(entries_changed)
    kinds = {change.kind for change in changes} | {change.kind for change in entries_changed}
    if kinds - {"created", "same"}:
        raise typer.Exit(1)


@app.command("acls", short_help="Show who may do what; as commands, or for Strimzi.")
def list_acls(
    states: StatesOption = None,
    partners: PartnersFile = None,
    form: Annotated[
        AclFormat, typer.Option("--format", help="A table, arguments of Kafka's own tools, or Strimzi's resources.")
    ] = AclFormat.TABLE,
    cluster: Annotated[str, typer.Option("--cluster", help="With strimzi: name of the Kafka resource.")] = "sharing",
    as_json: AsJson = False,
) -> None:
    """Show the rights of everyone on a cluster with these States, from the one table; all else is denied."""
    wanted = choose_partners(load_settings(partners=partners), states)
    if as_json:
        print_json(
            [
                {
                    "principal": entry.principal,
                    "permission": "Allow" if entry.allow else "Deny",
                    "operation": entry.operation,
                    "resource": entry.resource,
                    "pattern": entry.pattern,
                    "name": entry.name,
                }
                for entry in sorted(acl_entries(wanted))
            ]
        )
    elif form is AclFormat.STRIMZI:
        typer.echo(render([*kafka_topics(wanted, cluster), *kafka_users(wanted, cluster)]), nl=False)
    elif form is AclFormat.KAFKA_ACLS:
        for line in _commands(wanted):
            typer.echo(line)
    else:
        _show_rights(wanted)


def remove_with(entry: AclEntry) -> str:
    """Return the command that takes an entry away."""
    return f"kafka-acls.sh {_GIVEN} {removal_command(entry)}"


def configure_with(topic: Topic) -> str:
    """Return the command that gives a topic the configuration of the table."""
    wanted = ",".join(f"{key}={value}" for key, value in topic.kind.config().items())
    return f"kafka-configs.sh {_GIVEN} --alter --entity-type topics --entity-name {topic.name} --add-config {wanted}"


def _commands(partners: Partners) -> Iterator[str]:
    yield from (f"kafka-acls.sh {_GIVEN} {command}" for command in acl_commands(partners))
    yield from (f"kafka-configs.sh {_GIVEN} {command}" for command in quota_commands(partners))


def _show_rights(partners: Partners) -> None:
    table = make_table(whole("principal"), "operations", whole("resource"), whole("name"))
    for right in acl_rules(partners):
        operations = ", ".join(right.operations) if right.allow else f"not {', '.join(right.operations)}"
        name = right.name + ("…" if right.pattern is AclPattern.PREFIX else "")
        add_row(table, right.principal.name, operations, right.resource, name)
    out.print(table)
    err.print(f"{len(principals(partners))} principals; what is not listed is denied")


def _kept(kind: TopicKind) -> str:
    if kind.compacted:
        return "last of each key"
    if kind.retention_ms < 0:
        return "for ever"
    days, hours = divmod(kind.retention_ms // HOUR_MS, 24)
    return f"{days} days" if days else f"{hours} hour"


def _show_entries(changes: list[AclChange]) -> None:
    created = [change for change in changes if change.kind == "created"]
    if created:
        say(f"created  {len(created)} access control entries; `sharing topics acls` lists them")
    for change in changes:
        if change.kind not in {"created", "same"}:
            say(f"{change.kind}  {change.entry}: not in the table; if nobody needs it: {remove_with(change.entry)}")
    there = sum(change.kind == "same" for change in changes)
    err.print(f"{len(created)} access control entries created, {there} were there already")
    err.print("quotas: `sharing topics acls --format kafka-acls` prints the commands: Python's client cannot set them")


def _show(changes: list[TopicChange]) -> None:
    made = [change for change in changes if change.kind == "created"]
    for change in made:
        say(f"created  {change.topic}")
    for change in changes:
        if change.kind == "differs":
            say(f"differs  {change.topic}: {change.detail}")
    err.print(f"{len(made)} created, {len(changes) - len(made)} were there already")
