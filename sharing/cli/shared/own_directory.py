"""The writer of the own State's directory topic, as the settings name its keys."""

from __future__ import annotations

from collections.abc import Mapping

from sharing.errors import SettingsError
from sharing.kafka.directory_writer import DirectoryWriter
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.online_keys import OnlineKeys
from sharing.keystore.passphrases import read_passphrase_file
from sharing.keystore.token_address import open_token, parse_token_address
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
    if settings.key_folder is None:
        return None
    if settings.key_passphrase_file is None and settings.key_token is None:
        raise SettingsError(
            "SHARING_KEY_FOLDER is set, and nothing opens its keys: set SHARING_KEY_PASSPHRASE_FILE, so that the entry "
            "can be signed"
        )
    passphrase = None if settings.key_passphrase_file is None else read_passphrase_file(settings.key_passphrase_file)
    token = None if settings.key_token is None else open_token(parse_token_address(settings.key_token))
    keys = OnlineKeys.open(settings.key_folder, passphrase, token)
    return DirectoryWriter(servers, KeyFolder(settings.key_folder), keys, properties, framing)
