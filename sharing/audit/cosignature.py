"""Cosignatures: another State states when it saw a checkpoint, and that it was not shown a different view of the log.

A cosignature is a signature line of the checkpoint's note, of the type 0x04 (C2SP tlog-cosignature, version 1): 8 bytes
with the time in seconds since 1970, and an Ed25519 signature on `cosignature/v1`, the time, and the whole text of the
checkpoint. A State signs it by its gate key, under the name `<state>.sharing/witness`. A State does not cosign its own
logs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sharing.audit.checkpoint import Checkpoint
from sharing.audit.origins import format_witness, parse_witness
from sharing.audit.signed_note import TIMESTAMPED_COSIGNATURE, NoteSignature, SignedNote, compute_key_id
from sharing.trust.documents import CLOCK_TOLERANCE_MS, INSTANT_MAX, INSTANT_MIN
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.online_key import OnlineKey
from sharing.trust.public_keys import KeyRole
from sharing.trust.signatures import SIGNATURE_BYTES, SigningKey, is_signature_by
from sharing.trust.verification import find_online_key

WITNESSES_DEFAULT: Final = 2
"""How many other States must have cosigned a checkpoint for what it covers to count as witnessed."""

_TIME_BYTES: Final = 8
_SECOND_MS: Final = 1000


@dataclass(frozen=True, slots=True)
class VerifiedCosignature:
    """A cosignature that is genuine.

    Attributes:
        state: The State that made it.
        cosigned_at: When, by its own clock, in UTC milliseconds.
        key: Its key.
        signature: The signature line.
    """

    state: str
    cosigned_at: int
    key: OnlineKey
    signature: NoteSignature


def build_cosigned_message(text: bytes, seconds: int) -> bytes:
    """Return the bytes that a cosignature signs.

    Args:
        text: The text of the checkpoint.
        seconds: The time, in seconds since 1970.
    """
    return b"cosignature/v1\ntime %d\n" % seconds + text


def cosign_checkpoint(checkpoint: Checkpoint, state: str, key: SigningKey, now: int) -> SignedNote:
    """Return the checkpoint's text with only the cosignature of another State.

    Args:
        checkpoint: The checkpoint, which `witnessing` has found to be consistent with all that this State saw.
        state: The State that cosigns.
        key: Its gate key.
        now: Its clock, in UTC milliseconds.

    Raises:
        ValueError: It is its own log, or the time is not in the years 2000 to 2099.
    """
    if state == checkpoint.place.state:
        raise ValueError("a State cannot cosign its own log")
    if not INSTANT_MIN <= now <= INSTANT_MAX:
        raise ValueError("the time of a cosignature must be in the years 2000 to 2099")
    seconds, name, text = now // _SECOND_MS, format_witness(state), checkpoint.note.text
    value = seconds.to_bytes(_TIME_BYTES, "big") + key.sign(build_cosigned_message(text, seconds))
    signature = NoteSignature(name, compute_key_id(name, TIMESTAMPED_COSIGNATURE, key.public_key), value)
    return SignedNote(text, (signature,))


def read_cosigned_at(signature: NoteSignature) -> int | None:
    """Return when a cosignature claims to have been made, in UTC milliseconds; None if it does not have that form."""
    if len(signature.value) != _TIME_BYTES + SIGNATURE_BYTES:
        return None
    return int.from_bytes(signature.value[:_TIME_BYTES], "big") * _SECOND_MS


def verify_cosignature(text: bytes, signature: NoteSignature, keys: TrustedKeys, *, now: int) -> VerifiedCosignature:
    """Return who cosigned a checkpoint and when.

    A revoked key does not count, no matter what time it claims: a thief can claim any time.

    Args:
        text: The text of the checkpoint.
        signature: The signature line.
        keys: Online keys of the State that claims to have cosigned it.
        now: The reader's clock, in UTC milliseconds.

    Raises:
        TrustError: It is not a cosignature of that State, not by a gate key that was valid at its time and is not
            revoked, or claims a time in the future.
    """
    state, cosigned_at = keys.state, read_cosigned_at(signature)
    if signature.name != format_witness(state) or cosigned_at is None:
        raise TrustError(TrustFault.MALFORMED, f"is not a cosignature of {state}")
    if not INSTANT_MIN <= cosigned_at <= min(INSTANT_MAX, now + CLOCK_TOLERANCE_MS):
        raise TrustError(TrustFault.NOT_YET_VALID, f"{state}: a cosignature claims an impossible time")
    key = next(
        (
            each
            for each in keys.statement.list_keys(KeyRole.GATE)
            if compute_key_id(signature.name, TIMESTAMPED_COSIGNATURE, each) == signature.key_id
        ),
        None,
    )
    if key is None:
        raise TrustError(TrustFault.UNKNOWN_KEY, f"{state}: a cosignature is by a key that this State does not list")
    found = find_online_key(keys, KeyRole.GATE, key.key_id, signed_at=cosigned_at, now=now)
    message = build_cosigned_message(text, cosigned_at // _SECOND_MS)
    if not is_signature_by(found, signature.value[_TIME_BYTES:], message):
        raise TrustError(TrustFault.BAD_SIGNATURE, f"{state}: a cosignature is not valid")
    return VerifiedCosignature(state, cosigned_at, found, signature)


def verify_cosignatures(
    checkpoint: Checkpoint, witnesses: Mapping[str, TrustedKeys], *, now: int
) -> tuple[dict[str, VerifiedCosignature], list[TrustError]]:
    """Return the genuine cosignatures of a checkpoint by State, and what is wrong with the others.

    Args:
        checkpoint: The checkpoint.
        witnesses: Online keys of the States that may cosign, by State. Cosignatures of others are ignored.
        now: The reader's clock, in UTC milliseconds.
    """
    found: dict[str, VerifiedCosignature] = {}
    faults: list[TrustError] = []
    for signature in checkpoint.note.signatures:
        state = parse_witness(signature.name)
        if state is None or state == checkpoint.place.state or state not in witnesses:
            continue
        try:
            verified = verify_cosignature(checkpoint.note.text, signature, witnesses[state], now=now)
        except TrustError as error:
            faults.append(error)
        else:
            found.setdefault(state, verified)
    return found, faults


def find_witnessed_at(cosignatures: Iterable[VerifiedCosignature], required: int) -> int | None:
    """Return when the last required cosignature came, in UTC milliseconds; None if there are not enough.

    Args:
        cosignatures: Genuine cosignatures of a checkpoint, each by a different State.
        required: How many there must be.
    """
    times = sorted(each.cosigned_at for each in cosignatures)
    return times[required - 1] if 0 < required <= len(times) else None
