"""The writer of the own State's directory topic, as the settings name its keys."""

from __future__ import annotations

from collections.abc import Mapping

from sharing.errors import SettingsError
from sharing.kafka.directory_writer import DirectoryWriter
from sharing.keystore.configured_keys import open_configured_keys
from sharing.serialization.framing import Framing
from sharing.settings import Settings


def open_directory_writer(
    settings: Settings, servers: str, properties: Mapping[str, str], framing: Framing
) -> DirectoryWriter | None:
    """Return the writer that signs; None if no key folder is set: then nothing is signed.

    Args:
        settings: Settings with key folder, and passphrase or token.
        servers: Kafka bootstrap servers.
        properties: Further librdkafka properties, such as those of TLS.
        framing: How records are framed.

    Raises:
        SettingsError: There are keys, and nothing that opens them.
        InputError: The key folder has no root, or the passphrase file is unusable.
        TrustError: A root in the key folder was altered.
    """
    keys = open_configured_keys(settings)
    if keys is None:
        return None
    if settings.key_passphrase_file is None and settings.key_token is None:
        raise SettingsError(
            "SHARING_KEY_FOLDER is set, and nothing opens its keys: set SHARING_KEY_PASSPHRASE_FILE, so that the entry "
            "can be signed"
        )
    return DirectoryWriter(servers, keys, properties, framing)
