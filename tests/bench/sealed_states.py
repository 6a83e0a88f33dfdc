"""States with keys on the benchmark's cluster: those whose workers can run, and others in the directory."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from sharing.directory.announcements import encode_entry
from sharing.errors import InfrastructureError
from sharing.kafka.clients import client_properties, make_producer
from sharing.kafka.directory_topic import encode_entry as encode_plain_entry
from sharing.kafka.directory_topic import parse_entries
from sharing.kafka.directory_writer import DirectoryWriter
from sharing.kafka.topic_admin import apply_topics
from sharing.keystore.pin_file import make_pinned_root, write_pins
from sharing.model.countries import COUNTRIES
from sharing.model.directory import DirectoryEntry
from sharing.seal.indicators import IndicatorSealer
from sharing.testing.demo.keys import DemoKeys, make_demo_keys
from sharing.testing.samples import sample_directory
from sharing.topology.topics import DIRECTORY, NOTICES, OFFERS, REPLIES, URGENT, Topic, list_topics
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.root import Pin
from tests.bench.bench_cluster import BenchCluster
from tests.bench.names import PARTITIONS, STATE, STATES
from tests.directory.signed_states import SignedState
from tests.kafka.directory_fixtures import make_entry

STATES_MAX: Final = 193
"""The sender, and 192 other States."""

_ATTEMPTS: Final = 6
_WAIT_S: Final = 180.0
_EARLIER_MS: Final = 60_000


def read_now() -> int:
    """Return the time in UTC milliseconds."""
    return time.time_ns() // 1_000_000


class SealedStates:
    """States with keys, of which the cluster's directory has either signed entries or plain ones.

    Args:
        cluster: The cluster.
        folder: A new folder for keys.
        states: How many States there are, the sender included.
    """

    def __init__(self, cluster: BenchCluster, folder: Path, states: int = STATES_MAX) -> None:
        self._cluster = cluster
        self.keys: DemoKeys = make_demo_keys(STATES, folder)
        now = read_now() - _EARLIER_MS
        codes = sorted(COUNTRIES - set(STATES))[: states - len(STATES)]
        self._others = [SignedState(code, now=now) for code in codes]
        self.pins: dict[str, Pin] = {**self.keys.pins, **{other.state: other.pin for other in self._others}}
        write_pins(self.keys.trust_file, {state: make_pinned_root(pin, now) for state, pin in self.pins.items()})

    @property
    def trusted(self) -> TrustedKeys:
        """The online keys of the sender."""
        return self.keys.states[STATE].online.get_trusted_keys(read_now())

    def get_environment(self, state: str) -> Mapping[str, str]:
        """Return the settings with which a State's worker seals, signs and opens."""
        return self.keys.environment(state)

    def reset(self, *, signed: bool) -> None:
        """Recreate the topics of the benchmark's States, and the whole directory with signed or with plain entries."""
        codes = [other.state for other in self._others]
        topics = list_topics(codes, PARTITIONS)
        received = {name for name, topic in topics.items() if topic.kind in (NOTICES, URGENT, OFFERS, REPLIES)}
        self._cluster.recreate_topics(kept=received)
        wanted = {name: topic for name, topic in topics.items() if topic.kind is DIRECTORY or name in received}
        _create_topics(self._cluster.bootstrap, wanted)
        entries = parse_entries(*sample_directory())
        if not signed:
            records = [
                (other.state, other.state, encode_plain_entry(make_entry(other.state))) for other in self._others
            ]
            self._write([*records, *((entry.state, entry.state, encode_plain_entry(entry)) for entry in entries)])
            return
        self._write(_list_documents(self._others))
        for entry in entries:
            self._announce(entry)

    def seal_indicators(self, records: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and sealed values, as a publisher of the sender's State writes them."""
        sealer = IndicatorSealer(STATE, secrets.token_bytes)
        opening_keys = self.keys.states[STATE].online.get_opening_keys(read_now())
        seal_key = next(iter(opening_keys.values())).public_key
        for key, value in records:
            yield key, sealer.seal_indicator(key, value, seal_key, read_now())

    def _announce(self, entry: DirectoryEntry) -> None:
        """Announce a State's entry. A new topic has no leader yet for a moment."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                writer = DirectoryWriter(self._cluster.bootstrap, self.keys.states[entry.state].online)
                writer.announce(encode_entry(entry))
            except InfrastructureError:
                if attempt == _ATTEMPTS:
                    raise
                time.sleep(attempt)
            else:
                return

    def _write(self, records: Iterable[tuple[str, str, bytes]]) -> None:
        """Write records to directory topics: State, key and value of each."""
        producer = make_producer(client_properties(self._cluster.bootstrap, {"linger.ms": 50}))
        for state, key, value in records:
            producer.produce(DIRECTORY.topic(state), value, key.encode())
        if producer.flush(_WAIT_S):
            raise TimeoutError(f"the directory was not written within {_WAIT_S:g} s")


def _list_documents(states: Iterable[SignedState]) -> Iterator[tuple[str, str, bytes]]:
    """Yield the signed documents of States, each in the order in which readers verify them."""
    for state in states:
        yield state.state, "root.1", state.root_data
        yield state.state, "keys", state.keys_data
        yield state.state, state.state, state.announce(now=read_now())


def _create_topics(bootstrap: str, wanted: Mapping[str, Topic]) -> None:
    """Create missing topics. A broker on a busy machine needs a minute for thousands of partitions."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            apply_topics(bootstrap, wanted, replication=1)
        except InfrastructureError:
            if attempt == _ATTEMPTS:
                raise
        else:
            return
