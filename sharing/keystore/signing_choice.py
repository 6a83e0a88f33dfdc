"""Which of a State's own keys signs: the newest one that other States know, and never one that the State has revoked.

The key folder may be an older copy, such as one from a backup. So the State's key statement in the directory, which
other States use, also counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sharing.errors import InputError
from sharing.keystore.key_folder import KeyFolder
from sharing.trust.documents import CLOCK_TOLERANCE_MS
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.online_key import OnlineKey
from sharing.trust.public_keys import KeyId, KeyRole

SETTLE_MS: Final = CLOCK_TOLERANCE_MS
"""How long the previous key still signs after a rotation, until others have the statement that names the new one."""

LEAVE_MS: Final = 30_000
"""How long before its revocation takes effect a key stops signing, so that nothing signed by it is still in transit."""


def list_signing_keys(
    folder: KeyFolder, keys: TrustedKeys, published: TrustedKeys | None, role: KeyRole, now: int
) -> list[OnlineKey]:
    """Return the keys of a role that may sign, the oldest first.

    A key whose revocation takes effect soon does not sign, if there is another one.

    Args:
        folder: The key folder.
        keys: The newest key statement in it.
        published: The newest one in the directory; None if it has not been read.
        role: The role, which has a key in force in the folder.
        now: The time, in UTC milliseconds.

    Raises:
        InputError: What is published revokes all of them: the folder is not the newest.
    """
    statements = [keys.statement, *([] if published is None else [published.statement])]

    def list_staying(until: int) -> list[OnlineKey]:
        return [key for key in in_force if not any(each.is_revoked(key.key_id, until) for each in statements)]

    in_force = keys.statement.list_usable_keys(role, now)
    staying = list_staying(now + LEAVE_MS) or list_staying(now)
    if published is not None and not staying:
        raise InputError(
            f"{keys.state}: no {role} key in the key folder {folder.path}, which has key statement "
            f"{keys.statement.version}, may sign: key statement {published.statement.version} in the directory revokes "
            "them; an older copy of the folder was put back, or the newest was not copied here; copy it here"
        )
    return staying


def choose_signing_key(staying: Sequence[OnlineKey], noticed: Mapping[KeyId, int], now: int) -> OnlineKey:
    """Return the key that signs: the newest one that others had time to learn; else the one they have known longest.

    Args:
        staying: The keys that may sign, the oldest first.
        noticed: When this program noticed each key, in UTC milliseconds; 0 if it was there at its start.
        now: The time, in UTC milliseconds.
    """
    known_since = {key.key_id: max(key.valid_from, noticed[key.key_id]) for key in staying}
    settled = [key for key in staying if known_since[key.key_id] + SETTLE_MS <= now]
    return settled[-1] if settled else min(staying, key=lambda key: known_since[key.key_id])
