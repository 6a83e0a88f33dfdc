"""The topics of all States, as far as they have been read, compared with what is on the cluster."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sharing.errors import InfrastructureError
from sharing.kafka.directory_cluster import ClusterState
from sharing.kafka.directory_log import DirectoryLog
from sharing.topology.topics import DIRECTORY

log = logging.getLogger(__name__)

STALL_SECONDS_MAX = 30.0
"""How long a topic may take to be read to its end while brokers answer. Also the age up to which an unconfirmed entry
is used."""

RETRY_SECONDS = 60.0
"""When a topic that was given up is tried again."""

COPY_AGE_SECONDS_MAX = 12 * 60 * 60.0
"""Half of Kafka's default for `delete.retention.ms`, the minimum time for which a tombstone is kept."""


class DirectoryLogs(dict[str, DirectoryLog]):
    """The topics by State.

    Args:
        forget_state: Called with each State whose topic is read from the beginning, or not at all.
    """

    def __init__(self, forget_state: Callable[[str], None]) -> None:
        super().__init__()
        self._forget_state = forget_state

    def take_over(self, cluster: ClusterState, now: float) -> bool:
        """Apply the result of a check, and return whether partitions must be assigned again.

        Args:
            cluster: What it found.
            now: When, in seconds of the reader's clock.
        """
        is_changed = False
        for state in [state for state in self if cluster.topic_ids.get(state) != self[state].topic_id]:
            log.warning("%s was deleted or created again", DIRECTORY.topic(state))
            del self[state]
            self._forget_state(state)
            is_changed = True
        for state, topic_id in cluster.topic_ids.items():
            known = self.get(state)
            if known is None:
                known = self[state] = DirectoryLog(state, topic_id, now)
                is_changed = True
            end = cluster.ends[state]
            if isinstance(end, str):
                known.end, known.last_error = None, end
                continue
            is_cut = end < known.position
            is_old = known.caught_up_at is not None and now - known.caught_up_at > COPY_AGE_SECONDS_MAX
            if is_cut or is_old or (not known.is_read and known.retry_at <= now):
                self._forget_state(state)
                known.read_again(now)
                is_changed = True
            known.end = end
        return is_changed

    def give_up_stalled(self, now: float, answering_since: float) -> bool:
        """Give up the topics that were not read to their end in time, and return whether there are any.

        Args:
            now: The time, in seconds of the reader's clock.
            answering_since: Since when brokers answer.

        Raises:
            InfrastructureError: That applies to every topic: the fault is not in one of them.
        """
        stalled = [
            known
            for known in self.values()
            if known.is_read
            and not known.is_at_end
            and now - max(known.caught_up_at or known.opened_at, answering_since) > STALL_SECONDS_MAX
        ]
        for known in stalled:
            known.give_up(now + RETRY_SECONDS)
            self._forget_state(known.state)
        if stalled and all(known.stall is not None for known in self.values()):
            raise InfrastructureError(
                f"no topic of the directory can be read to its end within {STALL_SECONDS_MAX:g} s "
                f"({stalled[0].topic}: {stalled[0].stall}); check the broker, and the permission to read directory.*"
            )
        return bool(stalled)
