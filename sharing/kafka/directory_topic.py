"""The directory topic of a State: announces an entry that nobody signs, and reads entries from a file.

Each State has a topic, which only that State's officers and gate may write to. It has one partition and is compacted.
Without keys, the last record under the State code is the State's entry, and an empty record removes it. With keys,
`sharing.kafka.directory_writer` announces. The topics of all States are read by `sharing.kafka.directory_reader`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sharing.directory.announcements import require_entry_size
from sharing.errors import InputError
from sharing.kafka.directory_own_topic import publish_records
from sharing.model.directory import DirectoryEntry
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.yaml_files.source import read_yaml


def encode_entry(entry: DirectoryEntry, framing: Framing = SINGLE_OBJECT_FRAMING) -> bytes:
    """Return the record of an entry.

    Raises:
        InputError: It is larger than readers accept.
    """
    value = framing.frame("directory_entry", get_codec("directory_entry").encode_unframed(entry.to_record()))
    require_entry_size(entry.state, value)
    return value


def announce_entry(
    bootstrap: str,
    entry: DirectoryEntry,
    properties: Mapping[str, Any] | None = None,
    framing: Framing = SINGLE_OBJECT_FRAMING,
) -> None:
    """Announce a State's entry, and wait until the broker has confirmed it.

    Raises:
        InfrastructureError: No broker answers, the State's directory topic does not exist, or the entry was not
            confirmed.
        InputError: The entry is larger than readers accept.
        SettingsError: A property is unknown or wrong.
    """
    value = encode_entry(entry, framing)
    publish_records(bootstrap, entry.state, [(entry.state, value)], properties)


def remove_entry(bootstrap: str, state: str, properties: Mapping[str, Any] | None = None) -> None:
    """Remove a State's entry by an empty record, which nobody signs, and wait until the broker has confirmed it.

    Raises:
        InfrastructureError: As `announce_entry`.
        SettingsError: A property is unknown or wrong.
    """
    publish_records(bootstrap, state, [(state, None)], properties)


def parse_entries(text: str, source: str) -> list[DirectoryEntry]:
    """Read directory entries from a YAML document: a list under `entries`.

    Raises:
        InputError: The document has another form, or an entry is invalid; the message names file and line.
    """
    document = read_yaml(text, source)
    if (
        not isinstance(document.data, dict)
        or set(document.data) != {"entries"}
        or not isinstance(document.data["entries"], list)
    ):
        raise document.error("must have one key, `entries`, with a list")
    entries: dict[str, DirectoryEntry] = {}
    for index, data in enumerate(document.data["entries"]):
        if not isinstance(data, dict):
            raise document.error("must be a mapping", ("entries", index))
        try:
            entry = DirectoryEntry.parse(data)
        except InputError as error:
            raise document.error(str(error), ("entries", index)) from None
        if entry.state in entries:
            raise document.error(f"{entry.state} already has an entry; keep one", ("entries", index))
        entries[entry.state] = entry
    return list(entries.values())
