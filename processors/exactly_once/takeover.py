"""Which process has a worker's place in its group: this one, or another with the same ids.

A starting worker takes the place of a process with the same ids, and fences it if it still runs.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from uuid import UUID

from confluent_kafka import KafkaException

from processors.exactly_once.retry import retry_query
from sharing.kafka.errors import describe_kafka_error
from sharing.kafka.group_queries import list_group_members

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka.admin import AdminClient

    from processors.exactly_once.loop_config import LoopConfig
    from processors.exactly_once.retry import CallWatch

log = logging.getLogger(__name__)

REQUEST_TIMEOUT_S = 5.0

_SUFFIX_LENGTH = len("-") + len(str(UUID(int=0)))
"""The broker makes the member id of a static member from its instance id and a UUID."""


def log_takeover(admin: AdminClient, config: LoopConfig, calls: CallWatch) -> None:
    """Log if the group still has a member with this worker's id: a process that was killed, or one that still runs.

    Args:
        admin: An admin client.
        config: Configuration of the loop.
        calls: Is told of each call that may block.
    """
    try:
        with calls.track():
            members = _list_members_in_place(admin, config)
    except KafkaException as failure:  # the embedded broker, or none that answers: the clients report what matters
        log.debug("group %s: %s", config.group, describe_kafka_error(failure))
        return
    for member in members:
        log.info(
            "this worker takes the place of member %s of group %s, last seen from %s: either it was restarted, or "
            "another process with the same ids still runs, which is fenced now and exits",
            config.instance,
            config.group,
            member.client_host,
        )


def is_replaced(
    admin: AdminClient, config: LoopConfig, member_id: str, should_give_up: Callable[[], bool], calls: CallWatch
) -> bool:
    """Return whether another process has this worker's place in the group.

    A broker gives each process that joins a member id of its own. It answers `FENCED_INSTANCE_ID` to a process whose
    place another one has taken (KIP-345), but also to one that sends no member id. librdkafka forgets its own when its
    session expires while no broker answers. If the consumer is not polled until a broker answers again, because a
    commit waits for it, the next heartbeat has none (librdkafka 3437).

    Args:
        admin: An admin client.
        config: Configuration of the loop.
        member_id: The member id of this process at its last assignment; "" if it never had one.
        should_give_up: Whether to stop waiting for the broker.
        calls: Is told of each call that may block.

    Raises:
        KafkaException: The broker refuses, or does not answer until `should_give_up`.
    """
    waiting_for = f"the members of group {config.group}"
    members = retry_query(lambda: _list_members_in_place(admin, config), waiting_for, should_give_up, calls)
    return any(member.id != member_id for member in members)


def _list_members_in_place(admin: AdminClient, config: LoopConfig) -> list[Any]:
    """Return the members of the group whose instance id is this worker's: one, or none.

    Raises:
        KafkaException: The broker does not answer, or refuses.
    """
    members = list_group_members(admin, config.group, REQUEST_TIMEOUT_S)
    return [member for member in members if member.id[:-_SUFFIX_LENGTH] == config.instance]
