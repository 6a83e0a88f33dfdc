"""Makes the topics of the one table on a cluster, and finds what differs. Never shrinks, never deletes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported without saying so
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from sharing.errors import InfrastructureError
from sharing.kafka.clients import error_code, explain, look_up_topics, make_admin
from sharing.topology.topics import Topic

ADMIN_SECONDS_MAX = 15.0

_POLL_SECONDS = 0.05

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class TopicChange:
    """What became of one topic: `created`, `missing`, `same`, or `differs` with what."""

    topic: str
    kind: str
    detail: str = ""


def inspect_topics(
    bootstrap: str, wanted: Mapping[str, Topic], properties: Mapping[str, Any] | None = None, *, configs: bool = True
) -> list[TopicChange]:
    """Return what is `missing`, what `differs`, and what is the `same`; change nothing.

    Args:
        bootstrap: Kafka bootstrap servers.
        wanted: The topics, by name.
        properties: Further librdkafka properties, such as those of TLS.
        configs: Whether configurations are compared too, for which it takes the right to see them.

    Raises:
        InfrastructureError: The cluster does not answer, or refuses.
    """
    present = look_up_topics(bootstrap, properties)
    there = {name: topic for name, topic in wanted.items() if name in present}
    seen = _configurations(make_admin(bootstrap, properties), there) if configs else {}
    differences = _differences(there, present, seen)
    changes = []
    for name in wanted:
        kind = "missing" if name not in there else "differs" if name in differences else "same"
        changes.append(TopicChange(name, kind, differences.get(name, "")))
    return changes


def apply_topics(
    bootstrap: str, wanted: Mapping[str, Topic], replication: int, properties: Mapping[str, Any] | None = None
) -> list[TopicChange]:
    """Make what is missing (then `created`), and compare the rest. What was made can be used when this returns.

    Raises:
        InfrastructureError: The cluster does not answer, or refuses.
    """
    changes = inspect_topics(bootstrap, wanted, properties)
    missing = [wanted[change.topic] for change in changes if change.kind == "missing"]
    if missing:
        _create(make_admin(bootstrap, properties), missing, replication)
        _await_topics(bootstrap, {topic.name for topic in missing}, properties)
    return [TopicChange(change.topic, "created") if change.kind == "missing" else change for change in changes]


def _create(admin: AdminClient, missing: list[Topic], replication: int) -> None:
    new = [
        NewTopic(
            topic.name,
            num_partitions=topic.partitions,
            replication_factor=replication,
            config=topic.kind.config(),
        )
        for topic in missing
    ]
    futures: Mapping[str, Future[None]] = admin.create_topics(
        new, operation_timeout=ADMIN_SECONDS_MAX, request_timeout=ADMIN_SECONDS_MAX
    )
    refused: dict[str, KafkaException] = {}
    for name, future in futures.items():
        try:
            wait_for(future, f"cannot create {name}")
        except KafkaException as error:
            if error_code(error) != KafkaError.TOPIC_ALREADY_EXISTS:  # somebody else was quicker
                refused[name] = error
    if refused:
        name, reason = next(iter(refused.items()))
        others = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
        raise InfrastructureError(f"cannot create {name}{others}: {explain(reason)}{_hint(reason)}")


def _await_topics(bootstrap: str, names: set[str], properties: Mapping[str, Any] | None) -> None:
    # A controller confirms a topic a moment before each broker knows it.
    deadline = time.monotonic() + ADMIN_SECONDS_MAX
    while not names <= look_up_topics(bootstrap, properties).keys():
        if time.monotonic() > deadline:
            raise InfrastructureError(f"the topics were created, but {bootstrap} does not show them yet; try again")
        time.sleep(_POLL_SECONDS)


def _configurations(admin: AdminClient, there: Iterable[str]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in there]
    if not resources:
        return {}
    found = {}
    for resource, future in admin.describe_configs(resources, request_timeout=ADMIN_SECONDS_MAX).items():
        what = f"cannot read the configuration of {resource.name}"
        try:
            entries: Mapping[str, Any] = wait_for(future, what)
        except KafkaException as error:
            raise InfrastructureError(f"{what}: {explain(error)}{_hint(error)}") from None
        found[resource.name] = {key: entry.value for key, entry in entries.items()}
    return found


def _differences(
    there: Mapping[str, Topic], partitions: Mapping[str, int], configs: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, topic in there.items():
        details = []
        if partitions[name] != topic.partitions:
            details.append(
                f"has {partitions[name]} partitions, the table says {topic.partitions} (never changed by itself)"
            )
        actual = configs.get(name, {})
        for key, value in topic.kind.config().items():
            if key in actual and actual[key] != value:
                details.append(f"{key} is {actual[key]}, the table says {value}")
        if details:
            found[name] = "; ".join(details)
    return found


def wait_for(future: Future[Result], what: str) -> Result:
    """Return what a request comes to.

    Raises:
        InfrastructureError: The broker does not answer.
        KafkaException: It refuses.
    """
    try:
        return future.result(2 * ADMIN_SECONDS_MAX)
    except TimeoutError:
        raise InfrastructureError(f"{what}: the broker does not answer") from None


def _hint(error: KafkaException) -> str:
    match error_code(error):
        case KafkaError.INVALID_REPLICATION_FACTOR:
            return "; set SHARING_REPLICATION, or `replication` in the partners file, to at most the number of brokers"
        case KafkaError._TIMED_OUT:  # noqa: SLF001 librdkafka's own code
            return "; the cluster has no controller at the moment (the embedded broker never has one)"
        case _:
            return ""
