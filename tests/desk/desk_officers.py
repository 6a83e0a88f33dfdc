"""The officers of the journeys: who they are, and the passkeys that are put into their browsers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sharing.model.vocabulary import Authority
from tests.support.soft_authenticator import SoftAuthenticator

AGENCY: Final = "duty-office"
"""The agency of all officers, and the one under which the desks publish."""

NAMES: Final[Mapping[str, str]] = {
    "ch-1": "Anna Keller",
    "de-1": "Jonas Weber",
    "de-2": "Lena Vogt",
    "de-3": "Petra Lang",
    "jp-1": "Sato Yui",
    "jp-2": "Ito Ren",
}
"""The officers, all invented, by id. The first one of a State publishes, and the second one is a second person."""

SUPERVISING: Final = "de-3"
AUTHORITIES: Final = {"CH": Authority.PROSECUTOR, "DE": Authority.PROSECUTOR, "JP": Authority.POLICE}


@dataclass(frozen=True)
class DeskOfficer:
    """An officer with a passkey.

    Attributes:
        id: Opaque id, as in the register.
        state: The State.
        name: Name.
        device: Makes the passkey; a browser is given its private key.
    """

    id: str
    state: str
    name: str
    device: SoftAuthenticator = field(repr=False)

    @property
    def private_key(self) -> bytes:
        """The private key of the passkey: PKCS #8, DER."""
        return bytes(self.device._key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
