"""The worker's mode: with keys it signs, seals and verifies; without keys it is in plain mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sharing.errors import SettingsError
from sharing.keystore.configured_keys import open_configured_keys
from sharing.keystore.pin_file import require_trust_file

if TYPE_CHECKING:
    from sharing.keystore.online_keys import OnlineKeys
    from sharing.settings import Settings


def open_own_keys(settings: Settings) -> OnlineKeys | None:
    """Return the State's own keys if it has keys and trusts those of others; None if it has neither.

    Raises:
        SettingsError: One exists without the other, so that a worker would send unsealed what must be sealed; the trust
            file does not exist; or the address of the token is wrong, or its module is not installed.
        InputError: The passphrase file, or the file with the PIN of the token, is unusable.
    """
    if (settings.trust_file is None) != (settings.key_folder is None):
        missing = "SHARING_TRUST_FILE" if settings.trust_file is None else "SHARING_KEY_FOLDER"
        raise SettingsError(f"{missing} is not set: a gate that seals needs its own keys and the pins of other States")
    if settings.trust_file is not None:
        require_trust_file(settings.trust_file)
    return open_configured_keys(settings, settings.state)
