"""Time stamps of a service on a checkpoint (RFC 3161): a party that is not a State confirms when it existed.

What is stamped is the text of the checkpoint. The library `rfc3161-client` is imported only where it is used: it is in
the extra `timestamps`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from types import ModuleType
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.x509 import Certificate, load_pem_x509_certificates

from sharing.audit.checkpoint import Checkpoint
from sharing.errors import InputError, SettingsError
from sharing.model.times import format_time, to_milliseconds
from sharing.trust.documents import CLOCK_TOLERANCE_MS
from sharing.trust.faults import TrustError, TrustFault

RESPONSE_BYTES_MAX: Final = 64_000
REQUEST_TYPE, RESPONSE_TYPE = "application/timestamp-query", "application/timestamp-reply"


@dataclass(frozen=True, slots=True)
class TimeStampQuery:
    """A request to a service.

    Attributes:
        data: The request (TimeStampReq, in DER).
        nonce: The random number in it, which the answer must repeat.
    """

    data: bytes
    nonce: int | None


def require_service(url: str, roots: Sequence[Certificate]) -> None:
    """Refuse a service that cannot be asked, or whose answers cannot be verified.

    Raises:
        SettingsError: Its address is not an HTTP address, or its root is not named.
    """
    if urlsplit(url).scheme not in {"http", "https"}:
        raise SettingsError("SHARING_TIME_STAMP_URL must begin with https:// or http://")
    if not roots:
        raise SettingsError("SHARING_TIME_STAMP_URL needs SHARING_TIME_STAMP_ROOTS, the service's root in PEM form")


def make_query(text: bytes) -> TimeStampQuery:
    """Return the request for a time stamp on a text; the service sees only its SHA-256.

    Raises:
        SettingsError: The library is not installed.
    """
    library = _import_library()
    builder = library.TimestampRequestBuilder().data(text).hash_algorithm(library.HashAlgorithm.SHA256)
    request: Any = builder.nonce(nonce=True).cert_request(cert_request=True).build()
    return TimeStampQuery(request.as_bytes(), request.nonce)


def verify_time_stamp(response: bytes, text: bytes, roots: Sequence[Certificate], nonce: int | None = None) -> int:
    """Return when a service says that a text existed, in UTC milliseconds.

    Args:
        response: The answer of the service (TimeStampResp, in DER), with its certificates.
        text: The text.
        roots: The roots of the services that are trusted.
        nonce: The number that the answer must repeat; None if someone else sent the request.

    Raises:
        TrustError: The answer is malformed, a refusal, from a service that is not trusted, or about another text.
        SettingsError: The library is not installed.
    """
    library = _import_library()
    try:
        if len(response) > RESPONSE_BYTES_MAX or not roots:
            raise ValueError("is too long, or no roots are given")
        decoded = library.decode_timestamp_response(response)
        library.VerifierBuilder(roots=list(roots), nonce=nonce).build().verify_message(decoded, text)
        stamped = decoded.tst_info.gen_time
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 the library raises many kinds on malformed bytes, or panics
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise TrustError(TrustFault.BAD_SIGNATURE, f"the time stamp does not count: {reason}") from None
    return to_milliseconds(stamped if stamped.tzinfo is not None else stamped.replace(tzinfo=UTC))


def verify_checkpoint_stamp(
    response: bytes, checkpoint: Checkpoint, roots: Sequence[Certificate], now: int, nonce: int | None = None
) -> int:
    """Return when a service says that a checkpoint existed, in UTC milliseconds.

    Args:
        response: The answer of the service, as in `verify_time_stamp`.
        checkpoint: The checkpoint.
        roots: The roots of the services that are trusted.
        now: The reader's clock, in UTC milliseconds.
        nonce: The number that the answer must repeat; None if someone else sent the request.

    Raises:
        TrustError: As `verify_time_stamp`; or the time is impossible: before the State signed the checkpoint by its own
            clock, or in the future.
        SettingsError: The library is not installed.
    """
    stamped_at = verify_time_stamp(response, checkpoint.note.text, roots, nonce)
    if stamped_at < checkpoint.signed_at - CLOCK_TOLERANCE_MS:
        raise TrustError(
            TrustFault.CONFLICT,
            f"the time stamp says that the checkpoint existed at {format_time(stamped_at)}, but "
            f"{checkpoint.place.state} says that it signed it at {format_time(checkpoint.signed_at)}: one of the two "
            "clocks is wrong",
        )
    if stamped_at > now + CLOCK_TOLERANCE_MS:
        raise TrustError(
            TrustFault.NOT_YET_VALID,
            f"the time stamp is from {format_time(stamped_at)}, in the future; check the clock",
        )
    return stamped_at


def read_roots(data: bytes) -> list[Certificate]:
    """Return the certificates in a PEM file.

    Raises:
        InputError: It has none.
    """
    try:
        return load_pem_x509_certificates(data)
    except ValueError:
        raise InputError("is not a file with certificates in PEM form") from None


def _import_library() -> ModuleType:
    try:
        import rfc3161_client  # noqa: PLC0415 an extra
    except ImportError:
        raise SettingsError("time stamps need the extra `timestamps`: pip install 'sharing-bus[timestamps]'") from None
    return rfc3161_client
