"""Whether an object was signed by a key that its State named for such objects."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from sharing.trust.documents import CLOCK_TOLERANCE_MS, check_period
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import TrustedKeys, require_current_statement
from sharing.trust.online_key import OnlineKey
from sharing.trust.public_keys import KeyAlgorithm, KeyRole
from sharing.trust.root import require_current_root
from sharing.trust.signatures import ObjectKind, SigningKey, build_message, is_signature_by

SIGNING_ROLES = MappingProxyType(
    {
        ObjectKind.NOTICES: KeyRole.GATE,
        ObjectKind.COUNTS: KeyRole.GATE,
        ObjectKind.REPLY: KeyRole.CONVERSATION,
        ObjectKind.DIRECTORY_ENTRY: KeyRole.DIRECTORY,
        ObjectKind.OFFICER: KeyRole.REGISTRAR,
        ObjectKind.READERS: KeyRole.REGISTRAR,
        ObjectKind.INVITATION: KeyRole.REGISTRAR,
        ObjectKind.INBOX_KEY: KeyRole.GATE,
        ObjectKind.EXPORT: KeyRole.DESK,
    }
)
"""The role whose online keys sign objects of a kind.

No online key signs a kind that is not listed: roots and key statements are signed by root keys, rulings and sign-ins by
a key or passkey of the officer, which the register of officers names.
"""


@dataclass(frozen=True, slots=True)
class ObjectSignature:
    """A signature by an online key, as an object carries it.

    Attributes:
        algorithm: Its algorithm, as text, because a reader must refuse one that it does not know.
        key: Id of the key.
        value: The signature.
    """

    algorithm: str
    key: str
    value: bytes


@dataclass(frozen=True, slots=True)
class VerifiedSigner:
    """Who signed an object.

    Attributes:
        state: The State.
        key: Its online key.
    """

    state: str
    key: OnlineKey


def sign_object(kind: ObjectKind, state: str, payload: bytes, key: SigningKey) -> ObjectSignature:
    """Return the signature on an object.

    Args:
        kind: Kind of the object.
        state: The State that signs.
        payload: The object in its canonical form.
        key: Its online key for the role that signs such objects.
    """
    public = key.public_key
    return ObjectSignature(str(public.algorithm), public.key_id, key.sign(build_message(kind, state, payload)))


def verify_object(
    keys: TrustedKeys,
    kind: ObjectKind,
    payload: bytes,
    signature: ObjectSignature,
    *,
    signed_at: int,
    now: int,
    arrived_at: int | None = None,
    stamped_at: int | None = None,
) -> VerifiedSigner:
    """Return who signed an object that has arrived.

    Args:
        keys: The online keys of the State that claims to have signed it.
        kind: Kind that the object must have.
        payload: The object in its canonical form.
        signature: Its signature.
        signed_at: When it claims to have been signed, in UTC milliseconds.
        now: The reader's clock, in UTC milliseconds.
        arrived_at: When it arrived, as in `find_online_key`.
        stamped_at: When the broker has stamped it, as in `find_latest_signing`.

    Raises:
        TrustError: The root or the key statement has expired; the algorithm or the key is not known; the key is for
            another purpose, was revoked, or was not valid when it signed; or the signature is wrong.
    """
    role = SIGNING_ROLES.get(kind)
    key = find_online_key(
        keys, role, signature.key, signed_at=signed_at, now=now, arrived_at=arrived_at, stamped_at=stamped_at
    )
    if signature.algorithm not in set(KeyAlgorithm):
        raise TrustError(TrustFault.UNKNOWN_ALGORITHM, f"{keys.state}: the signature's algorithm is not known")
    if signature.algorithm != key.algorithm:
        raise TrustError(TrustFault.WRONG_PURPOSE, f"{keys.state}: the {key.role} key has another algorithm")
    if not is_signature_by(key, signature.value, build_message(kind, keys.state, payload)):
        raise TrustError(TrustFault.BAD_SIGNATURE, f"{keys.state}: the signature on this {kind} is not valid")
    return VerifiedSigner(keys.state, key)


def find_latest_signing(now: int, stamped_at: int | None = None) -> int:
    """Return the latest signing time that is accepted for what has arrived, in UTC milliseconds.

    The signer's clock and the reader's may each differ from the broker's by the tolerance, and so from each other by
    twice as much. That is accepted only for what the broker has stamped later than the reader's clock: then the
    reader's clock is behind the broker's.

    Args:
        now: The reader's clock, in UTC milliseconds.
        stamped_at: When the broker has stamped it, in UTC milliseconds; None if it has not.
    """
    reached = now if stamped_at is None else max(now, min(stamped_at, now + CLOCK_TOLERANCE_MS))
    return reached + CLOCK_TOLERANCE_MS


def find_online_key(
    keys: TrustedKeys,
    role: KeyRole | None,
    key_id: str,
    *,
    signed_at: int,
    now: int,
    arrived_at: int | None = None,
    stamped_at: int | None = None,
) -> OnlineKey:
    """Return a State's online key, if it may be used for a role.

    Args:
        keys: The State's online keys.
        role: The role that is required; None if no online key may do it.
        key_id: Id of the key.
        signed_at: When the key was used, in UTC milliseconds.
        now: The reader's clock, in UTC milliseconds.
        arrived_at: When the object arrived, in UTC milliseconds, if that is known from a clock other than the signer's:
            a key that was revoked only afterwards counts. None: it arrives now.
        stamped_at: When the broker has stamped the object, as in `find_latest_signing`. It says nothing about the key:
            the reader's clock decides whether the key is valid or revoked.

    Raises:
        TrustError: As `verify_object`.
    """
    require_current_root(keys.root, now)
    require_current_statement(keys, now)
    if keys.statement.is_revoked(key_id, now if arrived_at is None else min(arrived_at, now)):
        raise TrustError(TrustFault.REVOKED, f"{keys.state}: the key {shorten(key_id)} was revoked")
    key = next((key for key in keys.statement.keys if key.key_id == key_id), None)
    if key is None:
        raise TrustError(TrustFault.UNKNOWN_KEY, f"{keys.state}: the key {shorten(key_id)} is not one that it names")
    if key.role is not role:
        raise TrustError(
            TrustFault.WRONG_PURPOSE, f"{keys.state}: the key {shorten(key_id)} is for the role {key.role}"
        )
    if signed_at > find_latest_signing(now, stamped_at):
        raise TrustError(TrustFault.NOT_YET_VALID, f"{keys.state}: it claims to have been signed in the future")
    name, latest = f"{keys.state}: the {key.role} key {shorten(key_id)}", find_latest_signing(now)
    check_period(name, key.valid_from, key.valid_until, signed_at)
    check_period(name, key.valid_from, key.valid_until, min(signed_at, latest))  # no matter what the broker has stamped
    return key


def get_current_key(keys: TrustedKeys, role: KeyRole, now: int) -> OnlineKey | None:
    """Return the newest key of a role that is valid and not revoked at this instant, or None.

    Raises:
        TrustError: The root or the key statement has expired.
    """
    require_current_root(keys.root, now)
    require_current_statement(keys, now)
    return keys.statement.find_usable_key(role, now)


def shorten(key_id: str) -> str:
    """Return the first digits of a key's id, which name it in messages."""
    return f"{key_id[:16]}…" if key_id.isalnum() else "?"
