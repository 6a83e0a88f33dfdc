"""What the operator sees and removes when a State leaves: what waits in its topics, its quotas and its topics.

The operator sees only the number of a topic's records, neither keys nor values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AclOperation, AdminClient, OffsetSpec  # type: ignore[attr-defined]

from sharing.errors import InfrastructureError
from sharing.kafka.clients import look_up_topics, make_admin
from sharing.kafka.errors import describe_kafka_error
from sharing.kafka.group_queries import look_up_committed
from sharing.kafka.topic_admin import ADMIN_SECONDS_MAX, await_result, wait_until_shown
from sharing.kafka.watermarks import list_offsets
from sharing.topology.acls import Principal
from sharing.topology.topic_kinds import Role
from sharing.topology.topics import (
    DIRECTORY,
    DRAFTS,
    INDICATORS,
    NOTICES,
    OFFERS,
    REPLIES,
    RULINGS,
    URGENT,
    find_topic_kind,
)

_CONVERSATION_KINDS = (NOTICES, URGENT, OFFERS, REPLIES, RULINGS, DRAFTS)
"""What the second loop of a worker with keys reads. All drafts of a State without keys count."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """The unprocessed records in a topic.

    Attributes:
        topic: The topic.
        group: The consumer group that reads it.
        records: How many offsets are waiting: those that the group has not read. They include transaction markers and,
            in a compacted topic, deleted records.
    """

    topic: str
    group: str
    records: int


def list_state_topics(present: Iterable[str], state: str) -> list[str]:
    """Return those of the cluster's topics that belong to a State, including those of its agencies."""
    code = state.lower()
    return sorted(
        name
        for name in present
        if find_topic_kind(name) is not None and (name == DIRECTORY.topic(state) or name.split(".")[1:2] == [code])
    )


def measure_backlogs(bootstrap: str, state: str, properties: Mapping[str, Any] | None = None) -> list[Backlog]:
    """Return what waits in the topics of a State: indicators, messages of other States, rulings and drafts.

    Raises:
        InfrastructureError: The cluster does not answer, or refuses.
    """
    present = look_up_topics(bootstrap, properties)
    admin = make_admin(bootstrap, properties)
    gate = str(Principal(Role.GATE, state).group_prefix)
    read = {kind.topic(state): f"{gate}.inbox" for kind in _CONVERSATION_KINDS}
    published = {name: gate for name in list_state_topics(present, state) if find_topic_kind(name) is INDICATORS}
    groups = {**published, **read}
    backlogs = []
    try:
        for topic, group in groups.items():
            if topic in present:
                every = [TopicPartition(topic, number) for number in range(present[topic])]
                committed = look_up_committed(bootstrap, group, every, properties, ADMIN_SECONDS_MAX)
                backlogs.append(Backlog(topic, group, _count_waiting(admin, every, committed)))
    except KafkaException as error:
        raise InfrastructureError(
            f"what waits for {state} cannot be counted: {describe_kafka_error(error)}; use the operator's certificate"
        ) from None
    return backlogs


def require_deletion_right(bootstrap: str, names: Iterable[str], properties: Mapping[str, Any] | None = None) -> None:
    """Check that this client may delete these topics, before anything is removed.

    Raises:
        InfrastructureError: It may not; or the cluster does not answer.
    """
    wanted = sorted(names)
    if not wanted:
        return
    admin = make_admin(bootstrap, properties)
    futures = admin.describe_topics(
        TopicCollection(wanted), include_authorized_operations=True, request_timeout=ADMIN_SECONDS_MAX
    )
    for name, future in futures.items():
        try:
            described = await_result(future, f"cannot describe {name}")
        except KafkaException as error:
            raise InfrastructureError(f"cannot describe {name}: {describe_kafka_error(error)}") from None
        if AclOperation.DELETE not in (described.authorized_operations or ()):
            raise InfrastructureError(
                f"this certificate may not delete {name}: only a super user of the cluster may; nothing was changed"
            )


def delete_topics(bootstrap: str, names: Iterable[str], properties: Mapping[str, Any] | None = None) -> None:
    """Delete topics, and wait until the cluster no longer lists them.

    Raises:
        InfrastructureError: The cluster does not answer, or refuses.
    """
    wanted = sorted(names)
    admin = make_admin(bootstrap, properties)
    futures = admin.delete_topics(wanted, operation_timeout=ADMIN_SECONDS_MAX) if wanted else {}
    for name, future in futures.items():
        try:
            await_result(future, f"cannot delete {name}")
        except KafkaException as error:
            raise InfrastructureError(f"cannot delete {name}: {describe_kafka_error(error)}; run this again") from None
    wait_until_shown(
        lambda: look_up_topics(bootstrap, properties).keys().isdisjoint(wanted),
        "the topics were deleted, but the cluster still lists them; look again with `sharing doctor`",
    )


def _count_waiting(
    admin: AdminClient, every: Sequence[TopicPartition], committed: Mapping[tuple[str, int], int]
) -> int:
    starts = list_offsets(admin, every, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
    ends = list_offsets(admin, every, OffsetSpec.latest())  # type: ignore[no-untyped-call]
    return sum(max(0, end - max(starts[place], committed.get(place, 0))) for place, end in ends.items())
