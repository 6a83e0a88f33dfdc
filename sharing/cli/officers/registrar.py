"""What a registrar works with: the key folder of the State, one registrar key in it, and the register on the broker."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from sharing.cli.shared.clock_comparison import require_clock_of_readers
from sharing.cli.shared.connection import load_client_settings
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.key_options import locate_folder, open_key_access
from sharing.errors import InputError
from sharing.kafka.officer_writer import OfficerWriter
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.online_keys import OnlineKeys
from sharing.serialization.schema_registry import load_framing
from sharing.settings import Settings
from sharing.trust.key_statement import TrustedKeys, require_current_statement
from sharing.trust.public_keys import KeyId, KeyRole
from sharing.trust.root import require_current_root
from sharing.trust.signatures import SigningKey


@dataclass(frozen=True, slots=True)
class KeyDesk:
    """A State's key folder, as a registrar has it.

    Attributes:
        settings: The settings.
        folder: The key folder.
        keys: The State's online keys.
    """

    settings: Settings
    folder: KeyFolder
    keys: TrustedKeys

    @property
    def state(self) -> str:
        """The State."""
        return self.keys.state

    def open_registrar_key(self, signed: Collection[KeyId] = ()) -> SigningKey:
        """Return the registrar key in the folder, which signs.

        Args:
            signed: Ids of the keys that have signed already.

        Raises:
            InputError: No registrar key is in force or in the folder, or one that is there has signed already; or the
                passphrase is wrong.
        """
        now = read_clock()
        in_force = self.keys.statement.list_usable_keys(KeyRole.REGISTRAR, now)
        if not in_force:
            raise InputError(f"{self.state}: no registrar key is in force; run `sharing keys issue --role registrar`")
        held = [key for key in in_force if self.folder.locate_private_key(key.role, key.key_id).exists()]
        if any(key.key_id in signed for key in held):
            raise InputError(
                f"{self.folder.path} has the registrar key that has already signed; the second registrar must sign "
                "with another key, in a separate key folder"
            )
        if not held:
            raise InputError(
                f"{self.folder.private} does not have the private key of a registrar key in force; put it there, or "
                f"use the folder that has it"
            )
        access = open_key_access(self.settings, self.folder, is_new=False)
        return self.folder.read_private_key(KeyRole.REGISTRAR, held[-1].key_id, access).to_signing_key()


def open_desk(settings: Settings) -> KeyDesk:
    """Return the key folder that the settings name. No private key is opened yet.

    Raises:
        SettingsError: None is set.
        InputError: It has no online keys, or other users may write to it.
        TrustError: A document in it was altered, or the root or the key statement has expired: then nobody may answer.
    """
    folder, now = locate_folder(settings), read_clock()
    keys = OnlineKeys.open(folder.path).get_trusted_keys(now)
    require_current_root(keys.root, now)
    require_current_statement(keys, now)
    return KeyDesk(settings, folder, keys)


def connect_desk(
    bootstrap: str | None,
    folder: Path | None,
    passphrase_file: Path | None = None,
    token: str | None = None,
    *,
    writes: bool = True,
) -> tuple[KeyDesk, OfficerWriter]:
    """Return the key folder, and what reads and writes the register on the broker.

    Args:
        bootstrap: The option `--bootstrap`.
        folder: The option `--folder`.
        passphrase_file: The option `--passphrase-file`.
        token: The option `--token`.
        writes: Whether something is signed or written: then this machine's clock must be right.

    Raises:
        SettingsError: No servers or no folder are configured, or the certificate is unusable.
        InputError: The clock is wrong, as the broker's says; or as `open_desk`.
        TrustError: As `open_desk`.
    """
    settings, servers, tls = load_client_settings(
        bootstrap, key_folder=folder, key_passphrase_file=passphrase_file, key_token=token
    )
    desk = open_desk(settings)
    if writes:
        require_clock_of_readers(servers, tls, "nothing was written")
    framing = load_framing(settings, desk.state)
    return desk, OfficerWriter(servers, desk.keys, tls, framing, read_clock)
