"""The reader's key with which a State's inbox is opened, as the settings name it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sharing.clients.inbox_reader import InboxReader
from sharing.errors import SettingsError
from sharing.serialization.schema_registry import load_framing
from sharing.settings import Settings


def open_reader(
    settings: Settings, bootstrap: str, state: str, properties: Mapping[str, Any], command: str
) -> InboxReader | None:
    """Return what opens the State's inbox, or None if no reader's key is configured.

    Args:
        settings: The settings.
        bootstrap: Kafka bootstrap servers.
        state: The State.
        properties: Further librdkafka properties, such as those of TLS.
        command: What opens, for the record of what was opened.

    Raises:
        SettingsError: Only some of the settings for it are set.
    """
    if settings.reader_key is None:
        if settings.trust_file is not None:
            raise SettingsError(
                "SHARING_TRUST_FILE is set, so nothing unsealed is accepted: set SHARING_READER_KEY and "
                "SHARING_READER_PASSPHRASE_FILE to read the sealed inbox"
            )
        return None
    key_file, passphrase_file, trust_file = require_reader_files(settings)
    return InboxReader.open(
        bootstrap,
        state,
        key_file,
        passphrase_file,
        trust_file,
        properties,
        settings.state_folder,
        name=settings.reader_name or "",
        command=command,
        purpose=settings.reader_purpose or "",
        framing=load_framing(settings, state),
        records_uses=settings.record_uses,
    )


def require_reader_files(settings: Settings) -> tuple[Path, Path, Path]:
    """Return the files of a reader's key, of its passphrase, and of pinned roots.

    Raises:
        SettingsError: One of them is not set.
    """
    key_file, passphrase_file, trust_file = settings.reader_key, settings.reader_passphrase_file, settings.trust_file
    if key_file is None:
        raise SettingsError("SHARING_READER_KEY is not set; `sharing keys reader` makes a reader's key")
    if passphrase_file is None or trust_file is None:
        missing = "READER_PASSPHRASE_FILE" if passphrase_file is None else "TRUST_FILE"
        raise SettingsError(f"SHARING_READER_KEY is set, and SHARING_{missing} is not; the inbox needs both")
    return key_file, passphrase_file, trust_file


def require_reader(
    settings: Settings, bootstrap: str, state: str, properties: Mapping[str, Any], command: str
) -> InboxReader:
    """Return what opens the State's inbox; arguments as of `open_reader`.

    Raises:
        SettingsError: No reader's key is configured, or only some of the settings for it.
    """
    reader = open_reader(settings, bootstrap, state, properties, command)
    if reader is None:
        raise SettingsError(
            f"the inbox of {state} is sealed for its readers: set SHARING_READER_KEY, SHARING_READER_PASSPHRASE_FILE "
            "and SHARING_TRUST_FILE; `sharing keys reader` makes a reader's key"
        )
    return reader


@contextmanager
def open_optional_reader(
    settings: Settings, bootstrap: str, state: str, properties: Mapping[str, Any], *, is_wanted: bool
) -> Iterator[InboxReader | None]:
    """Yield what opens the State's inbox; None if it is not wanted, or no reader's key is configured.

    Raises:
        SettingsError: Only some of the settings for it are set.
    """
    if not is_wanted or settings.reader_key is None:
        yield None
        return
    reader = open_reader(settings, bootstrap, state, properties, "asks")
    if reader is None:
        yield None
        return
    with reader:
        yield reader
