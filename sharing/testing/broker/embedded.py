"""A broker inside this process, for demos and quick tests: librdkafka's mock cluster.

It needs no installation and writes nothing to disk. It serves producers, transactions and consumer groups
to every process on this machine until it is closed. Its limits (`tests/testing/broker/test_contract.py` fails
when one of them goes away):

- a partition keeps the last 5 MB or 100,000 messages, whatever the topic's retention; nothing is compacted;
- clients cannot create topics with a CreateTopics request: call `create_topics`. A producer's metadata request
  also creates a topic, with 4 partitions; a consumer's does not, so the consumer waits forever;
- transactions: `read_committed` consumers see aborted messages; offsets sent in a transaction are accepted but
  lost, so a restarted group reads the same records again; zombies are not fenced;
- groups: when a member joins, returns or is lost after the group has formed, all members wait for the session
  timeout minus one second (twice that with static membership). Keep `session.timeout.ms` short;
- there is no authentication, no TLS and no ACL;
- it ends with the process that owns it.

confluent-kafka does not expose all settings of the mock cluster (the number of partitions, the 3 seconds before
a group forms), so this module calls the C functions directly. librdkafka calls that part of its API experimental.
"""

from __future__ import annotations

import ctypes
import socket
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import TYPE_CHECKING, Final, Self

from confluent_kafka import cimpl

from sharing.errors import InfrastructureError
from sharing.testing.broker import DEFAULT_PARTITIONS, check_topic

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_POINTER, _TEXT, _INT = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
_PRODUCER = 0
_ERROR_BYTES = 512
_TOPIC_ALREADY_EXISTS = 36
_WAKE_S = 0.02
# Name, result type, argument types; see rdkafka.h and rdkafka_mock.h.
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
    """One mock broker, from construction until `close`. Also a context manager.

    Args:
        partitions: Default number of partitions for `create_topics`.

    Raises:
        InfrastructureError: librdkafka cannot create a mock cluster.
    """

    kind: Final = "embedded"

    def __init__(self, partitions: int = DEFAULT_PARTITIONS) -> None:
        self._partitions = partitions
        self._library = _load_library()
        self._owner = _make_owner(self._library)
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._owner, 1)
        if not self._cluster:
            self._library.rd_kafka_destroy(self._owner)
            raise InfrastructureError("the embedded broker cannot listen on the loopback interface")
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        self.bootstrap: Final[str] = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def create_topics(self, names: Iterable[str], partitions: int | None = None) -> None:
        """Create the topics that do not exist yet.

        Raises:
            InputError: A name or the number of partitions is invalid.
            InfrastructureError: The broker is closed, or refuses a topic.
        """
        count = self._partitions if partitions is None else partitions
        with self._waking():
            for name in names:
                check_topic(name, count)
                error = self._library.rd_kafka_mock_topic_create(self._open_cluster(), name.encode(), count, 1)
                if error not in {0, _TOPIC_ALREADY_EXISTS}:
                    reason = self._library.rd_kafka_err2str(error).decode()
                    raise InfrastructureError(f"the embedded broker refused to create topic {name}: {reason}")

    def interrupt(self) -> None:
        """Drop all connections and accept none until `resume`, as in a network failure."""
        self._library.rd_kafka_mock_broker_set_down(self._open_cluster(), -1)

    def resume(self) -> None:
        """Accept connections again. All data is kept."""
        self._library.rd_kafka_mock_broker_set_up(self._open_cluster(), -1)

    def close(self) -> None:
        """Shut the broker down and discard its data. Calling it twice is harmless."""
        if self._cluster:
            with self._waking():
                self._library.rd_kafka_mock_cluster_destroy(self._cluster)
            self._library.rd_kafka_destroy(self._owner)
            self._cluster = None

    @contextmanager
    def _waking(self) -> Iterator[None]:
        """Keep the broker's thread awake: it misses a request that follows another at once, and sleeps for a second."""
        ended = Event()
        waker = Thread(target=self._wake_until, args=(ended,), daemon=True)
        waker.start()
        try:
            yield
        finally:
            ended.set()
            waker.join()

    def _wake_until(self, ended: Event) -> None:
        host, port = self.bootstrap.split(":")
        while not ended.wait(_WAKE_S):
            with suppress(OSError):
                socket.create_connection((host, int(port)), _WAKE_S).close()

    def _open_cluster(self) -> int:
        if not self._cluster:
            raise InfrastructureError("the embedded broker is closed")
        return int(self._cluster)


def _load_library() -> ctypes.CDLL:
    """Return the librdkafka of confluent-kafka; its symbols are visible through the extension module."""
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
    """Create the client handle that owns the mock cluster. It never connects to anything."""
    message = ctypes.create_string_buffer(_ERROR_BYTES)
    config = library.rd_kafka_conf_new()
    library.rd_kafka_conf_set(config, b"log_level", b"3", message, _ERROR_BYTES)
    owner = library.rd_kafka_new(_PRODUCER, config, message, _ERROR_BYTES)
    if not owner:
        raise InfrastructureError(f"the embedded broker cannot be created: {message.value.decode(errors='replace')}")
    return int(owner)
