"""`sharing topics`: print the topic table, apply it to a cluster, and print its access control entries."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from sharing.cli.shared.connection import Bootstrap, load_broker_settings
from sharing.cli.shared.console import AsJson, add_row, err, make_table, out, print_json, print_line, unwrapped_column
from sharing.cli.shared.kafka_commands import (
    format_quota_command,
    format_removal_command,
    format_setup_commands,
)
from sharing.cli.shared.partners import PartnersFile, StatesOption, choose_partners
from sharing.kafka.acl_admin import AclChange, apply_acls
from sharing.kafka.tls import tls_properties
from sharing.kafka.topic_admin import TopicChange, apply_topics
from sharing.model.times import HOUR_MS
from sharing.serialization.schema_registry import SchemaRegistry, load_registry_access
from sharing.settings import load_settings
from sharing.topology.acls import AclPattern, list_acl_entries, list_acl_rules, list_principals
from sharing.topology.partners import Partners
from sharing.topology.strimzi import make_kafka_topics, make_kafka_users, render_manifests
from sharing.topology.topic_kinds import TopicKind

if TYPE_CHECKING:
    from sharing.kafka.quota_admin import QuotaChange

app = typer.Typer(
    name="topics",
    help="The topics of the bus: list them, create them on a cluster, list their ACLs.",
    no_args_is_help=True,
)

Partitions = Annotated[
    int | None,
    typer.Option("--partitions", min=1, max=1000, help="Partitions of each topic, except the directory and the clock."),
]


class AclFormat(StrEnum):
    """Output format of the access control entries."""

    TABLE = "table"
    KAFKA_ACLS = "kafka-acls"
    STRIMZI = "strimzi"


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
                    "writer": topic.kind.writer_text,
                    "reader": topic.kind.reader_text,
                    "config": topic.kind.config(),
                }
                for topic in wanted.values()
            ]
        )
        return
    columns = ("retention", "batch", "key", "writer → reader")
    table = make_table(unwrapped_column("topic"), unwrapped_column("partitions"), *columns)
    for topic in wanted.values():
        kind = topic.kind
        add_row(
            table,
            topic.name,
            topic.partitions,
            _format_retention(kind),
            f"{kind.max_message_bytes // 1000} kB",
            kind.key,
            f"{kind.writer_text} → {kind.reader_text}",
        )
    out.print(table)


@app.command("apply", short_help="Create missing topics; report differences.")
def apply_table(
    states: StatesOption = None,
    partitions: Partitions = None,
    partners: PartnersFile = None,
    acls: Annotated[
        bool, typer.Option("--acls", help="Also create missing access control entries and quotas.")
    ] = False,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Create missing topics and report differences. Existing topics are never changed or deleted."""
    settings, servers = load_broker_settings(bootstrap, partitions=partitions, partners=partners)
    wanted = choose_partners(settings, states, partitions=partitions)
    tls = tls_properties(settings)
    changes = apply_topics(servers, wanted.topics, wanted.replication, tls)
    acl_changes = apply_acls(servers, wanted, tls) if acls else []
    quota_changes = _apply_quotas(servers, wanted, tls) if acls else []
    if settings.registry is not None:
        registry = SchemaRegistry(settings.registry, load_registry_access(settings))
        registered = registry.register_schemas(wanted.topics.values())
        new = sum(schema.kind == "registered" for schema in registered)
        err.print(f"schemas: {new} of {len(registered)} newly registered")
    if as_json:
        rows = [{"topic": change.topic, "change": change.kind, "detail": change.detail} for change in changes]
        rows += [{"acl": str(change.entry), "change": change.kind} for change in acl_changes]
        quotas = [
            {"quotas": change.principal, "change": change.kind, "detail": change.detail} for change in quota_changes
        ]
        print_json(rows + quotas)
    else:
        _print_topic_changes(changes)
        if acls:
            _print_acl_changes(acl_changes)
            _print_quota_changes(quota_changes, wanted)
    kinds = {change.kind for change in changes}
    kinds |= {change.kind for change in acl_changes} | {change.kind for change in quota_changes}
    if kinds - {"created", "same"}:
        raise typer.Exit(1)


@app.command("acls", short_help="Show who may do what: as a table, commands, or for Strimzi.")
def list_acls(
    states: StatesOption = None,
    partners: PartnersFile = None,
    acl_format: Annotated[
        AclFormat, typer.Option("--format", help="A table, commands of Kafka's own tools, or Strimzi resources.")
    ] = AclFormat.TABLE,
    cluster: Annotated[
        str, typer.Option("--cluster", help="With --format strimzi: name of the Kafka resource.")
    ] = "sharing",
    as_json: AsJson = False,
) -> None:
    """Show what each principal may do on a cluster with these States. Everything else is denied."""
    wanted = choose_partners(load_settings(partners=partners), states)
    if as_json:
        print_json([entry.to_document() for entry in sorted(list_acl_entries(wanted))])
    elif acl_format is AclFormat.STRIMZI:
        typer.echo(
            render_manifests([*make_kafka_topics(wanted, cluster), *make_kafka_users(wanted, cluster)]), nl=False
        )
    elif acl_format is AclFormat.KAFKA_ACLS:
        for line in format_setup_commands(wanted):
            typer.echo(line)
    else:
        _print_acl_rules(wanted)


def _print_acl_rules(partners: Partners) -> None:
    table = make_table(
        unwrapped_column("principal"), "operations", unwrapped_column("resource"), unwrapped_column("name")
    )
    for rule in list_acl_rules(partners):
        operations = ", ".join(rule.operations) if rule.allow else f"not {', '.join(rule.operations)}"
        name = rule.name + ("…" if rule.pattern is AclPattern.PREFIX else "")
        add_row(table, rule.principal.name, operations, rule.resource, name)
    out.print(table)
    err.print(f"{len(list_principals(partners))} principals; everything that is not listed is denied")


def _format_retention(kind: TopicKind) -> str:
    if kind.retention_ms < 0:
        return "last per key" if kind.compacted else "forever"
    days, hours = divmod(kind.retention_ms // HOUR_MS, 24)
    kept = f"{days} days" if days else f"{hours} hour"
    return f"{kept}, last per key" if kind.compacted else kept


def _print_acl_changes(changes: list[AclChange]) -> None:
    created = [change for change in changes if change.kind == "created"]
    if created:
        print_line(f"created  {len(created)} access control entries; list them with `sharing topics acls`")
    for change in changes:
        if change.kind not in {"created", "same"}:
            print_line(
                f"{change.kind}  {change.entry}: not in the table; to remove it: {format_removal_command(change.entry)}"
            )
    existing = sum(change.kind == "same" for change in changes)
    err.print(f"{len(created)} access control entries created, {existing} already existed")


def _apply_quotas(servers: str, partners: Partners, tls: dict[str, str]) -> list[QuotaChange]:
    from sharing.kafka.quota_admin import apply_quotas  # noqa: PLC0415 kafka-python takes long to import

    return apply_quotas(servers, partners, tls)


def _print_quota_changes(changes: list[QuotaChange], partners: Partners) -> None:
    for change in changes:
        if change.kind == "differs":
            command = format_quota_command(change.principal, partners.quotas)
            print_line(f"differs  quotas of {change.principal}: {change.detail}; to set them: {command}")
    created = sum(change.kind == "created" for change in changes)
    err.print(f"quotas of {created} clients set, of {len(changes) - created} already existed")


def _print_topic_changes(changes: list[TopicChange]) -> None:
    created = [change for change in changes if change.kind == "created"]
    for change in created:
        print_line(f"created  {change.topic}")
    for change in changes:
        if change.kind == "differs":
            print_line(f"differs  {change.topic}: {change.detail}")
    err.print(f"{len(created)} created, {len(changes) - len(created)} already existed")
