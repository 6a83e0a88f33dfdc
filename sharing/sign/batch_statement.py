"""What is signed for a batch: the root of its tree and the time, once for all of its messages."""

from __future__ import annotations

from sharing.model.times import format_time
from sharing.trust.canonical import encode_canonical
from sharing.trust.documents import INSTANT_MAX, INSTANT_MIN
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.signatures import ObjectKind, SigningKey
from sharing.trust.verification import ObjectSignature, VerifiedSigner, sign_object, verify_object


def encode_batch_statement(root: bytes, signed_at: int) -> bytes:
    """Return the statement in canonical JSON, with the root in hexadecimal digits and the time as RFC 3339 text.

    Args:
        root: Root of the batch's tree.
        signed_at: When it is signed, in UTC milliseconds.

    Raises:
        ValueError: The time is not in the years 2000 to 2099.
    """
    if not INSTANT_MIN <= signed_at <= INSTANT_MAX:
        raise ValueError("the signing time of a batch must be in the years 2000 to 2099")
    return encode_canonical({"root": root.hex(), "signed_at": format_time(signed_at)})


def sign_batch(state: str, root: bytes, key: SigningKey, signed_at: int) -> ObjectSignature:
    """Return a State's signature on a batch.

    Args:
        state: The State that signs.
        root: Root of the batch's tree.
        key: Its gate key.
        signed_at: The time, in UTC milliseconds.
    """
    return sign_object(ObjectKind.NOTICES, state, encode_batch_statement(root, signed_at), key)


def verify_batch(
    keys: TrustedKeys,
    root: bytes,
    signature: ObjectSignature,
    *,
    signed_at: int,
    now: int,
    stamped_at: int | None = None,
) -> VerifiedSigner:
    """Return who signed a batch.

    Args:
        keys: Online keys of the State that claims to have signed it.
        root: Root of the batch's tree.
        signature: The signature.
        signed_at: When it claims to have been signed, in UTC milliseconds.
        now: The reader's clock, in UTC milliseconds.
        stamped_at: When the broker has stamped it, as in `find_latest_signing`.

    Raises:
        TrustError: As `verify_object`.
        ValueError: The time is not in the years 2000 to 2099.
    """
    statement = encode_batch_statement(root, signed_at)
    return verify_object(
        keys, ObjectKind.NOTICES, statement, signature, signed_at=signed_at, now=now, stamped_at=stamped_at
    )
