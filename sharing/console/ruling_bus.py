"""Where the officers of a State write their rulings, and to which key they seal them."""

from __future__ import annotations

from functools import partial

from sharing.console.connection import ConsoleConnection
from sharing.console.register_lookup import read_own_keys
from sharing.console.ruling_submission import RulingBus
from sharing.errors import InfrastructureError, SettingsError
from sharing.seal.recipient_keys import select_seal_keys
from sharing.topology.topics import RULINGS
from sharing.trust.public_keys import PublishedKey


def open_ruling_bus(console: ConsoleConnection) -> RulingBus:
    """Return where the officers' rulings are written, and what the worker makes of them is read."""
    find_seal_key = partial(find_worker_key, console)
    return RulingBus(console.servers, console.state, console.properties, console.framing, find_seal_key)


def find_worker_key(console: ConsoleConnection, now: int) -> PublishedKey | None:
    """Return the key to which rulings are sealed; None if the State seals nothing to its own worker.

    Args:
        console: The connection. A root that is pinned, or the State's key folder, says which keys are the State's.
        now: The time in UTC milliseconds.

    Raises:
        SettingsError: Neither a root of the State is pinned, nor its key folder known. Nothing is ever written in clear
            instead.
        InputError: The State's keys do not verify.
        InfrastructureError: None is in force, or the directory cannot be read.
    """
    if not console.settings.seal_to_worker:
        return None
    keys = read_own_keys(console, now)
    if keys is None:
        raise SettingsError(
            f"a ruling is sealed to the worker of {console.state}, and this program does not know its keys: set "
            f"SHARING_TRUST_FILE with the pinned root of {console.state}, or SHARING_KEY_FOLDER; "
            "SHARING_SEAL_TO_WORKER=false only if the State runs its own cluster"
        )
    key = select_seal_keys({console.state: keys}, now).get(console.state)
    if key is None:
        raise InfrastructureError(
            f"nothing can be written to {RULINGS.topic(console.state)}: the State has no seal key in force, or "
            "its root or key statement has expired; ask its registrar to run `sharing keys rotate`"
        )
    return key
