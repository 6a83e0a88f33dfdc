"""Logs that a starting worker takes the place of a process with the same ids, which it fences if that still runs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from uuid import UUID

from confluent_kafka import KafkaException

from sharing.kafka.errors import describe_kafka_error
from sharing.kafka.group_queries import list_group_members

if TYPE_CHECKING:
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
            members = list_group_members(admin, config.group, REQUEST_TIMEOUT_S)
    except KafkaException as failure:  # the embedded broker, or none that answers: the clients report what matters
        log.debug("group %s: %s", config.group, describe_kafka_error(failure))
        return
    for member in members:
        if member.id[:-_SUFFIX_LENGTH] == config.instance:
            log.info(
                "this worker takes the place of member %s of group %s, last seen from %s: either it was restarted, or "
                "another process with the same ids still runs, which is fenced now and exits",
                config.instance,
                config.group,
                member.client_host,
            )
