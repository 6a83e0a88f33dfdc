"""Where a command reads the directory of States from: a file, the bus, or the sample."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sharing.cli.shared.console import err
from sharing.kafka.directory_pins import read_directory_pins
from sharing.kafka.directory_reader import DirectoryReader
from sharing.kafka.directory_topic import parse_entries
from sharing.model.directory import Directory
from sharing.serialization.schema_registry import load_framing
from sharing.settings import Settings
from sharing.testing.samples import sample_directory
from sharing.text_file import read_text_file
from sharing.topology.topics import DIRECTORY


def read_directory(
    file: Path | None, settings: Settings | None, properties: Mapping[str, str] | None = None
) -> Directory:
    """Read the directory from a file, else from the bus, else from the sample (with a message).

    Args:
        file: YAML with the States' entries.
        settings: Settings with the bootstrap servers; None to never ask the bus.
        properties: Further librdkafka properties, such as those of TLS.

    Raises:
        SharingError: It cannot be read.
    """
    if file is None and settings is not None and settings.bootstrap is not None:
        reader = DirectoryReader(
            settings.bootstrap,
            properties,
            framing=load_framing(settings, None),
            pins=read_directory_pins(settings),
        )
        try:
            directory = reader.read_to_end()
        finally:
            reader.close()
        warn_unreadable(reader.unreadable)
        warn_unconfirmed(reader.unconfirmed)
        return directory
    if file is None:
        err.print("using the authorities and interests of the sample directory; give another with --directory")
    text, name = sample_directory() if file is None else (read_text_file(file), file.name)
    return Directory({entry.state: entry for entry in parse_entries(text, name)})


def warn_unreadable(unreadable: Mapping[str, str]) -> None:
    """Say which States have no entry because their topic, or its newest record, cannot be read.

    Args:
        unreadable: The cause for each State.
    """
    for state, cause in unreadable.items():
        err.print(f"{DIRECTORY.topic(state)} cannot be read ({cause}): {state} has no entry, and receives nothing")


def warn_unconfirmed(unconfirmed: Mapping[str, str]) -> None:
    """Say which entries are still in force although something is wrong.

    Args:
        unconfirmed: The cause for each State.
    """
    for state, cause in unconfirmed.items():
        err.print(f"{DIRECTORY.topic(state)}: the entry of {state} cannot be confirmed ({cause}); see the runbook")
