"""Creates the missing topics on a cluster and reports differences from the topic table. Never alters or deletes one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
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
from sharing.kafka.clients import look_up_topics, make_admin
from sharing.kafka.errors import describe_kafka_error, error_code
from sharing.topology.topics import Topic

ADMIN_SECONDS_MAX = 15.0

_POLL_SECONDS = 0.05

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class TopicChange:
    """One topic and its state on the cluster: `created`, `missing`, `same`, or `differs` with the differences."""

    topic: str
    kind: str
    detail: str = ""


def inspect_topics(
    bootstrap: str, wanted: Mapping[str, Topic], properties: Mapping[str, Any] | None = None, *, configs: bool = True
) -> list[TopicChange]:
    """Return which topics are `missing`, which one `differs`, and which are the `same`. Changes nothing.

    Args:
        bootstrap: Kafka bootstrap servers.
        wanted: The topics, by name.
        properties: Further librdkafka properties, such as those of TLS.
        configs: Whether to compare configurations too. This needs the permission DescribeConfigs.

    Raises:
        InfrastructureError: The cluster does not answer, or refuses.
    """
    present = look_up_topics(bootstrap, properties)
    existing = {name: topic for name, topic in wanted.items() if name in present}
    actual_configs = _describe_configs(make_admin(bootstrap, properties), existing) if configs else {}
    differences = _find_differences(existing, present, actual_configs)
    changes = []
    for name in wanted:
        kind = "missing" if name not in existing else "differs" if name in differences else "same"
        changes.append(TopicChange(name, kind, differences.get(name, "")))
    return changes


def apply_topics(
    bootstrap: str, wanted: Mapping[str, Topic], replication: int, properties: Mapping[str, Any] | None = None
) -> list[TopicChange]:
    """Create the missing topics (reported as `created`) and compare the others. Created topics are then usable.

    Raises:
        InfrastructureError: The cluster does not answer, or refuses.
    """
    changes = inspect_topics(bootstrap, wanted, properties)
    missing = [wanted[change.topic] for change in changes if change.kind == "missing"]
    if missing:
        _create_topics(make_admin(bootstrap, properties), missing, replication)
        _wait_until_visible(bootstrap, {topic.name for topic in missing}, properties)
    return [TopicChange(change.topic, "created") if change.kind == "missing" else change for change in changes]


def _create_topics(admin: AdminClient, missing: list[Topic], replication: int) -> None:
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
            await_result(future, f"cannot create {name}")
        except KafkaException as error:
            if error_code(error) != KafkaError.TOPIC_ALREADY_EXISTS:  # another client was faster
                refused[name] = error
    if refused:
        name, reason = next(iter(refused.items()))
        others = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
        raise InfrastructureError(
            f"cannot create {name}{others}: {describe_kafka_error(reason)}{_suggest_remedy(reason)}"
        )


def _wait_until_visible(bootstrap: str, names: set[str], properties: Mapping[str, Any] | None) -> None:
    wait_until_shown(
        lambda: names <= look_up_topics(bootstrap, properties).keys(),
        f"the topics were created, but {bootstrap} does not list them yet; try again",
    )


def _describe_configs(admin: AdminClient, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return the configuration of each topic, by topic name and configuration key."""
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    if not resources:
        return {}
    configs = {}
    for resource, future in admin.describe_configs(resources, request_timeout=ADMIN_SECONDS_MAX).items():
        failure = f"cannot read the configuration of {resource.name}"
        try:
            entries: Mapping[str, Any] = await_result(future, failure)
        except KafkaException as error:
            raise InfrastructureError(f"{failure}: {describe_kafka_error(error)}{_suggest_remedy(error)}") from None
        configs[resource.name] = {key: entry.value for key, entry in entries.items()}
    return configs


def _find_differences(
    wanted: Mapping[str, Topic], partitions: Mapping[str, int], configs: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    """Return a description of the differences, by topic name, for the topics that have any."""
    differences: dict[str, str] = {}
    for name, topic in wanted.items():
        details = []
        if partitions[name] != topic.partitions:
            details.append(
                f"has {partitions[name]} partitions, the table says {topic.partitions} (never changed automatically)"
            )
        actual = configs.get(name, {})
        for key, value in topic.kind.config().items():
            if key in actual and actual[key] != value:
                details.append(f"{key} is {actual[key]}, the table says {value}")
        if details:
            differences[name] = "; ".join(details)
    return differences


def wait_until_shown(is_shown: Callable[[], bool], problem: str) -> None:
    """Wait until the brokers show a change. The controller confirms it a moment before every broker knows it.

    Args:
        is_shown: Whether they do.
        problem: The message of the error.

    Raises:
        InfrastructureError: They do not, within `ADMIN_SECONDS_MAX`.
    """
    deadline = time.monotonic() + ADMIN_SECONDS_MAX
    while not is_shown():
        if time.monotonic() > deadline:
            raise InfrastructureError(problem)
        time.sleep(_POLL_SECONDS)


def await_result(future: Future[Result], failure: str) -> Result:
    """Return the result of an admin request.

    Args:
        future: The future that the admin client returned.
        failure: What failed if no answer comes, for the error's message.

    Raises:
        InfrastructureError: The broker does not answer.
        KafkaException: The broker rejects the request.
    """
    try:
        return future.result(2 * ADMIN_SECONDS_MAX)
    except TimeoutError:
        raise InfrastructureError(f"{failure}: the broker does not answer") from None


def _suggest_remedy(error: KafkaException) -> str:
    match error_code(error):
        case KafkaError.INVALID_REPLICATION_FACTOR:
            return "; set SHARING_REPLICATION, or `replication` in the partners file, to at most the number of brokers"
        case KafkaError._TIMED_OUT:  # noqa: SLF001 librdkafka's own code
            return "; the cluster has no controller at the moment (the embedded broker never has one)"
        case _:
            return ""
