"""The State's own keys that the settings name."""

from __future__ import annotations

from sharing.keystore.online_keys import OnlineKeys
from sharing.keystore.passphrases import read_passphrase_file
from sharing.keystore.token_address import open_token, parse_token_address
from sharing.settings import Settings


def open_configured_keys(settings: Settings, state: str | None = None) -> OnlineKeys | None:
    """Return the keys in the key folder of the settings; None if they name none. No key is read yet.

    Args:
        settings: Settings with key folder, and passphrase or token.
        state: The State whose keys they must be; None: any State.

    Raises:
        InputError: The passphrase file, or the file with the PIN of the token, is unusable.
        SettingsError: The address of the token is wrong, or its module is not installed.
    """
    if settings.key_folder is None:
        return None
    passphrase = None if settings.key_passphrase_file is None else read_passphrase_file(settings.key_passphrase_file)
    token = None if settings.key_token is None else open_token(parse_token_address(settings.key_token))
    return OnlineKeys.open(settings.key_folder, passphrase, token, state)
