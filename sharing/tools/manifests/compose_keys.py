"""The keys of each State in the trial: which service has which of them, and how its container gets them.

A deployment decides the same for itself: `docs/deploy.md` says what gate and desk need.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sharing.keystore.private_key import WRAP_ROLE
from sharing.tools.manifests.common import TRUST_FILE
from sharing.tools.manifests.compose_services import SECRETS, make_secret
from sharing.tools.manifests.private_files import (
    KEY_ARCHIVE,
    KEY_PASSPHRASE,
    READER_KEY,
    READER_PASSPHRASE,
    key_folder_settings,
    make_copy_script,
    reader_settings,
)
from sharing.trust.public_keys import KeyRole

PRIVATE_FOLDER = "/tmp/private"  # noqa: S108 in memory that is the container's own


class Holder(StrEnum):
    """Who has private keys of a State.

    Attributes:
        GATE: Signs and seals what leaves the State, and opens what arrives.
        DESK: Opens the State's own drafts.
        CONSOLE: Announces the State in the directory.
        REGISTRAR: Signs the register of officers.
    """

    GATE = "gate"
    DESK = "desk"
    CONSOLE = "console"
    REGISTRAR = "registrar"


ROLES: Mapping[Holder, tuple[str, ...]] = {
    Holder.GATE: (KeyRole.GATE, KeyRole.DIRECTORY, KeyRole.SEAL, WRAP_ROLE),
    Holder.DESK: (WRAP_ROLE,),
    Holder.CONSOLE: (KeyRole.DIRECTORY,),
    Holder.REGISTRAR: (KeyRole.REGISTRAR,),
}
"""The roles whose private keys are in each holder's archive."""


@dataclass(frozen=True, slots=True)
class GivenKeys:
    """What a service needs to have keys, and to trust those of other States.

    Attributes:
        settings: Its settings for that.
        secrets: References to the secrets.
        fields: Further fields: the entry point that copies private files, if there are any.
    """

    settings: Mapping[str, str]
    secrets: tuple[dict[str, str], ...]
    fields: Mapping[str, Any]


def name_key_archive(holder: Holder, state: str) -> str:
    """Return the name of the secret with a holder's keys."""
    return f"{holder}.{state.lower()}.tar"


def name_passphrase(state: str) -> str:
    """Return the name of the secret with the passphrase of a State's private keys."""
    return f"keys.{state.lower()}.pass"


def name_reader_files(state: str) -> dict[str, str]:
    """Return the names of the secrets with the key of a State's reader, by the names in its container."""
    code = state.lower()
    return {READER_KEY: f"reader.{code}.key", READER_PASSPHRASE: f"reader.{code}.pass"}


def give_keys(state: str, holder: Holder | None = None, *, reads_inbox: bool = False) -> GivenKeys:
    """Return what a service needs of the keys of a State, and the pinned roots of all States.

    Args:
        state: The State.
        holder: Whose private keys it has; None for none.
        reads_inbox: Whether it has the key of the State's reader.
    """
    files: dict[str, str] = {}
    settings = {"SHARING_TRUST_FILE": f"{SECRETS}/{TRUST_FILE}"}
    if reads_inbox:
        files |= name_reader_files(state)
        settings |= reader_settings(PRIVATE_FOLDER)
    if holder is not None:
        files |= {KEY_ARCHIVE: name_key_archive(holder, state), KEY_PASSPHRASE: name_passphrase(state)}
        settings |= key_folder_settings(PRIVATE_FOLDER)
    secrets = (*(make_secret(source, target) for target, source in files.items()), make_secret(TRUST_FILE))
    return GivenKeys(settings, secrets, {"entrypoint": _make_entrypoint(tuple(files))} if files else {})


def _make_entrypoint(files: tuple[str, ...]) -> list[str]:
    """Return the entry point that copies private files, and then runs the program with the command of the service."""
    script = make_copy_script(SECRETS, PRIVATE_FOLDER, files) + 'exec sharing "$$@"\n'  # Compose reads $$ as $
    return ["/bin/sh", "-euc", script, "sharing"]
