"""The roots that a reader of the directory trusts, as the settings name them."""

from __future__ import annotations

from pathlib import Path

from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.pin_file import read_pins, require_trust_file
from sharing.settings import Settings
from sharing.trust.root import Pin


def read_directory_pins(settings: Settings) -> dict[str, Pin] | None:
    """Return the pinned roots by State; None if no trust file is set: then the topics are trusted.

    The State's own root need not be pinned: the first root in the key folder counts as pinned.

    Raises:
        InputError: The trust file is not one, or the key folder has no root.
        SettingsError: The trust file does not exist, and no key folder is set: then no State would be trusted.
        TrustError: A root in the key folder was altered.
    """
    if settings.trust_file is None:
        return None
    if settings.key_folder is None:
        require_trust_file(settings.trust_file)
    pins = {state: pinned.to_pin() for state, pinned in read_pins(settings.trust_file).items()}
    if settings.key_folder is not None:
        own = _read_own_pin(settings.key_folder)
        pins.setdefault(own.state, own)
    return pins


def find_own_pin(settings: Settings, state: str) -> Pin | None:
    """Return the pin of the State's own root: from the trust file, or else from the key folder; None if neither has it.

    Raises:
        InputError: As `read_directory_pins`.
        SettingsError: As `read_directory_pins`.
        TrustError: As `read_directory_pins`.
    """
    pins = read_directory_pins(settings)
    if pins is None:
        own = None if settings.key_folder is None else _read_own_pin(settings.key_folder)
        pins = {} if own is None else {own.state: own}
    return pins.get(state)


def _read_own_pin(key_folder: Path) -> Pin:
    return KeyFolder(key_folder).read_roots()[0].to_pin()
