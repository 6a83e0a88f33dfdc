"""Makes the topics of the one table on a cluster, and finds what differs. Never shrinks, never deletes."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported without saying so
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from sharing.broker.clients import explain, make_admin
from sharing.errors import InfrastructureError
from sharing.topics import Topic

ADMIN_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one topic: `created`, `missing`, `same`, or `differs` with what."""

    topic: str
    kind: str
    detail: str = ""


def inspect_topics(bootstrap: str, wanted: Mapping[str, Topic]) -> list[Change]:
    """Return what is `missing`, what `differs`, and what is the `same`; change nothing.

    Raises:
        InfrastructureError: The cluster refuses.
    """
    admin = make_admin(bootstrap)
    try:
        present = admin.list_topics(timeout=ADMIN_SECONDS_MAX).topics
    except KafkaException as error:
        raise InfrastructureError(f"cannot look up topics: {explain(error)}") from None
    there = {name: topic for name, topic in wanted.items() if name in present}
    differences = _differences(admin, there, {name: len(present[name].partitions) for name in there})
    changes = []
    for name in wanted:
        kind = "missing" if name not in there else "differs" if name in differences else "same"
        changes.append(Change(name, kind, differences.get(name, "")))
    return changes


def apply_topics(bootstrap: str, wanted: Mapping[str, Topic], replication: int) -> list[Change]:
    """Make what is missing (then `created`), and compare the rest.

    Raises:
        InfrastructureError: The cluster refuses.
    """
    changes = inspect_topics(bootstrap, wanted)
    missing = [wanted[change.topic] for change in changes if change.kind == "missing"]
    _create(make_admin(bootstrap), missing, replication)
    return [Change(change.topic, "created") if change.kind == "missing" else change for change in changes]


def _create(admin: AdminClient, missing: list[Topic], replication: int) -> None:
    if not missing:
        return
    new = [
        NewTopic(
            topic.name,
            num_partitions=topic.partitions,
            replication_factor=replication,
            config=topic.kind.config(),
        )
        for topic in missing
    ]
    futures: Mapping[str, Future[None]] = admin.create_topics(new, operation_timeout=ADMIN_SECONDS_MAX)
    for name, future in futures.items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # somebody else was quicker
                raise InfrastructureError(f"cannot create {name}: {explain(error)}") from None


def _differences(admin: AdminClient, there: Mapping[str, Topic], partitions: Mapping[str, int]) -> dict[str, str]:
    found: dict[str, str] = {}
    if not there:
        return found
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in there]
    configs = {resource.name: future for resource, future in admin.describe_configs(resources).items()}
    for name, topic in there.items():
        details = []
        if partitions[name] != topic.partitions:
            details.append(
                f"has {partitions[name]} partitions, the table says {topic.partitions} (never changed by itself)"
            )
        try:
            actual = configs[name].result(ADMIN_SECONDS_MAX)
        except KafkaException as error:
            raise InfrastructureError(f"cannot read the configuration of {name}: {explain(error)}") from None
        for key, value in topic.kind.config().items():
            if key in actual and actual[key].value != value:
                details.append(f"{key} is {actual[key].value}, the table says {value}")
        if details:
            found[name] = "; ".join(details)
    return found
