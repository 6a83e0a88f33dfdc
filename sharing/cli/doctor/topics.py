"""Check of `sharing doctor` for topics: they exist and are configured as in the topic table."""

from __future__ import annotations

from collections.abc import Iterator

from sharing.cli.doctor.check_result import CheckResult
from sharing.cli.doctor.cluster import Cluster
from sharing.cli.shared.kafka_commands import format_config_command
from sharing.errors import SharingError
from sharing.kafka.clients import look_up_topics
from sharing.kafka.topic_admin import TopicChange, inspect_topics
from sharing.topology.acls import may_see
from sharing.topology.topics import Topic, find_topic_kind

_SHOWN_MAX = 5


def check_topics(cluster: Cluster) -> Iterator[CheckResult]:
    """Compare the topics that this principal may see with the topic table."""
    sees_all = cluster.sees_all
    # Other principals see only their own topics, and no topic configuration.
    wanted = {
        name: topic
        for name, topic in cluster.partners.topics.items()
        if sees_all or (cluster.principal is not None and may_see(cluster.principal, name))
    }
    try:
        changes = inspect_topics(cluster.servers, wanted, cluster.tls, configs=sees_all)
    except SharingError as error:
        yield CheckResult(
            "topics",
            ok=False,
            detail=str(error),
            remedy="see the message; the broker must permit this principal to describe topics",
        )
        return
    for change in changes:
        if change.kind != "same":
            remedy = f"sharing topics apply --states {','.join(cluster.partners.states)}"
            if change.kind == "differs":
                remedy = _suggest_topic_fix(change, wanted[change.topic])
            yield CheckResult(f"topic {change.topic}", ok=False, detail=change.detail or "missing", remedy=remedy)
    same = sum(change.kind == "same" for change in changes)
    limitation = "" if sees_all else "; only the operator can check their configuration"
    detail = f"{same} of {len(changes)} match the table{limitation}"
    yield CheckResult("topics", same == len(changes), detail, "see the topics above")


def check_partitions(cluster: Cluster) -> Iterator[CheckResult]:
    """Check that all topics of the bus that this principal sees have the same number of partitions.

    An output goes to the partition of its input, in every State's topics: with fewer partitions somewhere it could not.
    """
    try:
        present = look_up_topics(cluster.servers, cluster.tls)
    except SharingError as error:
        yield CheckResult("partitions", ok=False, detail=str(error), remedy="see the message")
        return
    names_by_count: dict[int, list[str]] = {}
    for name, count in sorted(present.items()):
        kind = find_topic_kind(name)
        if kind is not None and not kind.single_partition:
            names_by_count.setdefault(count, []).append(name)
    if len(names_by_count) <= 1:
        count = next(iter(names_by_count), cluster.partners.partitions)
        yield CheckResult("partitions", ok=True, detail=f"{count} in every topic of the exchange")
        return
    usual = max(names_by_count, key=lambda count: len(names_by_count[count]))
    others = [f"{name} has {count}" for count, names in names_by_count.items() if count != usual for name in names]
    shown = "; ".join(others[:_SHOWN_MAX]) + (
        f"; and {len(others) - _SHOWN_MAX} more" if len(others) > _SHOWN_MAX else ""
    )
    yield CheckResult(
        "partitions",
        ok=False,
        detail=f"all topics of an exchange must have the same number of partitions; most have {usual}, but {shown}",
        remedy="recreate these topics with that number (docs/maintain.md, To more partitions)",
    )


def _suggest_topic_fix(change: TopicChange, topic: Topic) -> str:
    """Return how to fix a topic that differs from the table."""
    if "partitions" in change.detail:
        return (
            "set the actual number in the partners file or SHARING_PARTITIONS, or recreate the topic (docs/maintain.md)"
        )
    return f"to set it, run: {format_config_command(topic)}"
