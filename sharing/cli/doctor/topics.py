"""Check of `sharing doctor` for topics: they exist and are configured as in the topic table."""

from __future__ import annotations

from collections.abc import Iterator

from sharing.cli.doctor.check_result import CheckResult
from sharing.cli.doctor.cluster import Cluster
from sharing.cli.shared.kafka_commands import format_config_command
from sharing.errors import SharingError
from sharing.kafka.topic_admin import TopicChange, inspect_topics
from sharing.topology.acls import OPERATOR, allowed_operations
from sharing.topology.topics import Topic


def check_topics(cluster: Cluster) -> Iterator[CheckResult]:
    """Compare the topics that this principal may see with the topic table."""
    sees_all = cluster.principal in {None, OPERATOR}
    # Other principals see only their own topics, and no topic configuration.
    wanted = {
        name: topic
        for name, topic in cluster.partners.topics.items()
        if sees_all or (cluster.principal is not None and allowed_operations(cluster.principal, name))
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
    limitation = "" if sees_all else "; only the operator can check cleanup policy and retention"
    detail = f"{same} of {len(changes)} match the table{limitation}"
    yield CheckResult("topics", same == len(changes), detail, "see the topics above")


def _suggest_topic_fix(change: TopicChange, topic: Topic) -> str:
    """Return how to fix a topic that differs from the table."""
    if "partitions" in change.detail:
        return (
            "set the actual number in the partners file or SHARING_PARTITIONS, or recreate the topic (docs/maintain.md)"
        )
    return f"to set it, run: {format_config_command(topic)}"
