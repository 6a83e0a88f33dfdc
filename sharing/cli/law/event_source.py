"""Where `sharing law rehearse` gets recorded indicators from: files, or the topic of the State."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sharing.cli.shared.connection import load_client_settings
from sharing.cli.shared.instants import read_clock
from sharing.errors import InputError, SettingsError
from sharing.kafka.topic_range import TopicRange
from sharing.keystore.configured_keys import open_configured_keys
from sharing.replay.recorded_batch import ProgressCallback, RecordedBatch
from sharing.replay.recorded_files import measure_files, read_recorded_files
from sharing.replay.recorded_topic import read_topic_range
from sharing.replay.sealed_records import SealedRecords
from sharing.seal.hpke import OpeningKey
from sharing.serialization.schema_registry import load_framing
from sharing.settings import Settings
from sharing.topology.topics import INDICATORS

OpenBatches = Callable[[ProgressCallback], Iterator[RecordedBatch]]
"""Opens the recorded batches and reports progress while they are read."""


@dataclass(frozen=True, slots=True)
class EventSource:
    """A source of recorded indicators.

    Attributes:
        names: Names of the files or the topic, for the report.
        total: Size in bytes (files) or offsets (topic), for the progress bar.
        open_batches: Opens the batches.
    """

    names: tuple[str, ...]
    total: int
    open_batches: OpenBatches


@contextmanager
def open_source(
    state: str, files: list[Path], bootstrap: str | None, range_ms: tuple[int | None, int | None], from_topic: bool
) -> Iterator[EventSource]:
    """Open the files, or the topic, with the recorded indicators.

    Args:
        state: The State that provides them.
        files: The files; empty to read the topic.
        bootstrap: The option `--bootstrap`.
        range_ms: With the topic: since when, and until when, in UTC milliseconds.
        from_topic: Whether to read the topic.

    Raises:
        SharingError: Both are given, or none; or it cannot be opened.
    """
    if from_topic == bool(files):
        raise InputError("give the recorded indicators: either files with --events, or --from-topic")
    if not from_topic:
        if any(instant is not None for instant in range_ms):
            raise InputError("--since and --until require --from-topic; a file is always read completely")
        yield EventSource(
            tuple(map(str, files)), measure_files(files), lambda report: read_recorded_files(files, state, report)
        )
        return
    topic = INDICATORS.topic(state)
    settings, servers, tls = load_client_settings(bootstrap)
    sealed = SealedRecords(state, _read_opening_keys(settings, state), load_framing(settings, state))
    topic_range = TopicRange(servers, topic, f"{topic}.rehearsal", *range_ms, properties=tls)
    try:
        yield EventSource(
            (topic,), topic_range.total, lambda report: read_topic_range(topic_range, topic, report, sealed)
        )
    finally:
        topic_range.close()


def _read_opening_keys(settings: Settings, state: str) -> Mapping[str, OpeningKey] | None:
    """Return the seal keys of the State's gate; None if no key folder is set.

    Raises:
        SettingsError: Nothing opens the keys.
        InputError: They are another State's, or cannot be used.
    """
    keys = open_configured_keys(settings)
    if keys is None:
        return None
    if settings.key_passphrase_file is None and settings.key_token is None:
        raise SettingsError(
            "SHARING_KEY_FOLDER is set, and nothing opens its keys: set SHARING_KEY_PASSPHRASE_FILE, so that sealed "
            "indicators can be read"
        )
    now = read_clock()
    owner = keys.get_trusted_keys(now).state
    if owner != state:
        raise InputError(
            f"the key folder is that of {owner}, and cannot open records of {state}; set the one of {state}"
        )
    return keys.get_opening_keys(now)
