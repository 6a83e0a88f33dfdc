"""A broker inside this process, for demos and quick tests: librdkafka's mock cluster.

Nothing is installed and nothing is written to disk. It serves producers, transactions and consumer groups
to every process of this machine, until it is closed. What it does not do (`tests/testing/broker/test_contract.py`
notices when that changes):

- a partition keeps the last 5 MB or 100,000 messages, whatever the topic's retention; nothing is compacted;
- clients cannot create topics over the wire (CreateTopics): call `create_topics`. A topic also comes into
  being, with 4 partitions, when a producer asks for its metadata; a consumer waits for it in vain;
- of transactions: aborted messages are not isolated from readers of `read_committed`; the offsets that a
  transaction carries are accepted and forgotten, so a group reads again what it had handled when it starts
  anew; a zombie is not fenced;
- of groups: when a member joins, returns or is lost after the group has formed, everyone waits for the
  session timeout less a second, also with static membership (then twice). Keep `session.timeout.ms` short;
- there is no authentication, no TLS and no ACL;
- it lives as long as the process that holds it.

The mock cluster can be configured further than confluent-kafka lets one (partitions, the 3 seconds before a
group forms), so its C functions are called as they are. librdkafka calls that part of its interface
experimental.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Final, Self

from confluent_kafka import cimpl

from sharing.errors import InfrastructureError
from sharing.testing.broker import DEFAULT_PARTITIONS, check_topic

if TYPE_CHECKING:
    from collections.abc import Iterable

_POINTER, _TEXT, _INT = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
_PRODUCER = 0
_ERROR_BYTES = 512
_TOPIC_ALREADY_EXISTS = 36
# Name, result, arguments: as in rdkafka.h and rdkafka_mock.h.
_FUNCTIONS = (
    ("rd_kafka_conf_new", _POINTER, ()),
    ("rd_kafka_conf_set", _INT, (_POINTER, _TEXT, _TEXT, _TEXT, ctypes.c_size_t)),
    ("rd_kafka_new", _POINTER, (_INT, _POINTER, _TEXT, ctypes.c_size_t)),
    ("rd_kafka_destroy", None, (_POINTER,)),
    ("rd_kafka_err2str", _TEXT, (_INT,)),
    ("rd_kafka_mock_cluster_new", _POINTER, (_POINTER, _INT)),
    ("rd_kafka_mock_cluster_destroy", None, (_POINTER,)),
    ("rd_kafka_mock_cluster_bootstraps", _TEXT, (_POINTER,)),
    ("rd_kafka_mock_group_initial_rebalance_delay_ms", None, (_POINTER, ctypes.c_int32)),
    ("rd_kafka_mock_topic_create", _INT, (_POINTER, _TEXT, _INT, _INT)),
    ("rd_kafka_mock_broker_set_down", _INT, (_POINTER, ctypes.c_int32)),
    ("rd_kafka_mock_broker_set_up", _INT, (_POINTER, ctypes.c_int32)),
)


class EmbeddedBroker:
    """One mock broker, from construction until `close`. A context manager, too.

    Args:
        partitions: Of the topics that `create_topics` makes, unless it is told otherwise.

    Raises:
        InfrastructureError: librdkafka cannot make a mock cluster.
    """

    kind: Final = "embedded"

    def __init__(self, partitions: int = DEFAULT_PARTITIONS) -> None:
        self._partitions = partitions
        self._library = _load_library()
        self._owner = _make_owner(self._library)
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._owner, 1)
        if not self._cluster:
            self._library.rd_kafka_destroy(self._owner)
            raise InfrastructureError("the embedded broker cannot listen on the loopback")
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        self.bootstrap: Final[str] = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def create_topics(self, names: Iterable[str], partitions: int | None = None) -> None:
        """Create the topics that do not exist yet.

        Raises:
            InputError: A name or the number of partitions is not acceptable.
            InfrastructureError: The broker is closed, or refuses one.
        """
        count = self._partitions if partitions is None else partitions
        for name in names:
            check_topic(name, count)
            error = self._library.rd_kafka_mock_topic_create(self._open_cluster(), name.encode(), count, 1)
            if error not in {0, _TOPIC_ALREADY_EXISTS}:
                reason = self._library.rd_kafka_err2str(error).decode()
                raise InfrastructureError(f"the embedded broker does not create topic {name}: {reason}")

    def interrupt(self) -> None:
        """Drop all connections and accept none until `resume`, as in a failure of the network."""
        self._library.rd_kafka_mock_broker_set_down(self._open_cluster(), -1)

    def resume(self) -> None:
        """Accept connections again. Everything is still there."""
        self._library.rd_kafka_mock_broker_set_up(self._open_cluster(), -1)

    def close(self) -> None:
        """End the broker, and with it all that it held. Closing twice is harmless."""
        if self._cluster:
            self._library.rd_kafka_mock_cluster_destroy(self._cluster)
            self._library.rd_kafka_destroy(self._owner)
            self._cluster = None

    def _open_cluster(self) -> int:
        if not self._cluster:
            raise InfrastructureError("the embedded broker is closed")
        return int(self._cluster)


def _load_library() -> ctypes.CDLL:
    """Return the librdkafka that confluent-kafka is linked with: its symbols are found through the module."""
    library = ctypes.CDLL(cimpl.__file__)
    try:
        for name, result, arguments in _FUNCTIONS:
            function = getattr(library, name)
            function.restype = result
            function.argtypes = arguments
    except AttributeError as error:
        raise InfrastructureError(
            f"the librdkafka of this confluent-kafka has no mock cluster ({error}): use a real Kafka"
        ) from error
    return library


def _make_owner(library: ctypes.CDLL) -> int:
    """Return the client handle to which a mock cluster belongs. It never connects to anything."""
    said = ctypes.create_string_buffer(_ERROR_BYTES)
    config = library.rd_kafka_conf_new()
    library.rd_kafka_conf_set(config, b"log_level", b"3", said, _ERROR_BYTES)
    owner = library.rd_kafka_new(_PRODUCER, config, said, _ERROR_BYTES)
    if not owner:
        raise InfrastructureError(f"the embedded broker cannot be made: {said.value.decode(errors='replace')}")
    return int(owner)
