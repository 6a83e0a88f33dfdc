"""Passkeys at the command line: the file of a request, and the fingerprint that the officer reads out."""

from __future__ import annotations

import hmac
from collections.abc import Collection
from pathlib import Path

from sharing.cli.shared.given_files import read_public_file
from sharing.errors import InputError
from sharing.officers.passkey_request import read_request, verify_request
from sharing.passkeys.faults import PasskeyError
from sharing.passkeys.passkey import Passkey
from sharing.trust.faults import TrustError
from sharing.trust.key_statement import TrustedKeys


def read_passkey(path: Path, fingerprint: str | None, officer_id: str, keys: TrustedKeys, now: int) -> Passkey:
    """Return the passkey that an officer has made for an invitation.

    Args:
        path: The file that the officer's desk has made.
        fingerprint: What the officer has read out by telephone.
        officer_id: Id of the officer.
        keys: The State's own online keys.
        now: The time, in UTC milliseconds.

    Raises:
        InputError: It is no such file, another officer's, not valid, or has another fingerprint.
    """
    try:
        verified, passkey = verify_request(keys, read_request(read_public_file(path)), now)
    except (InputError, TrustError, PasskeyError) as error:
        raise InputError(f"{path}: {error}") from None
    invited = verified.invitation.officer
    if invited != officer_id:
        raise InputError(
            f"{path}: officer {invited} was invited, not {officer_id}; each officer must make a separate one"
        )
    if fingerprint is None:
        raise InputError(
            "call the officer at a telephone number that you know, ask for the fingerprint on the officer's page, "
            "and give it with --fingerprint"
        )
    if not hmac.compare_digest(_normalise(fingerprint).encode(), _normalise(passkey.fingerprint).encode()):
        raise InputError(
            f"{path}: the fingerprint of the passkey is not the one that the officer read out: somebody has replaced "
            "the file, or it is an older one. Do not enter it; ask the officer to send it again"
        )
    return passkey


def change_passkeys(
    present: Collection[Passkey], added: Passkey | None, dropped: Collection[str]
) -> tuple[Passkey, ...] | None:
    """Return the passkeys of an officer after a change; None if nothing changes.

    Args:
        present: The passkeys that the officer has.
        added: A passkey to add.
        dropped: Fingerprints of passkeys to drop.

    Raises:
        InputError: The officer has the new one already, or not one that is to be dropped.
    """
    by_fingerprint = {_normalise(each.fingerprint): each for each in present}
    for fingerprint in dropped:
        if by_fingerprint.pop(_normalise(fingerprint), None) is None:
            raise InputError(
                f"--drop-passkey {fingerprint}: the officer has no passkey with this fingerprint; `sharing officers "
                "list` shows them"
            )
    if added is None:
        return tuple(by_fingerprint.values()) if dropped else None
    if added in present:
        raise InputError("the officer already has this passkey")
    return (*by_fingerprint.values(), added)


def _normalise(fingerprint: str) -> str:
    return "".join(character for character in fingerprint.lower() if character not in " -:\t")
