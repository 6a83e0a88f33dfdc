"""The secrets of days, in a gate's state store: from them the salts of commitments to content are derived.

There is one for each input partition, UTC day and wrapping key, made when the first decision needs it and written in
the transaction of that decision. So a gate that was killed finds the secret of every committed commitment, and the
secret of an aborted transaction is gone with the transaction. When the retention of a day has ended, its secrets are
deleted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from processors.exactly_once.state_entries import decode_entry, encode_entry
from sharing.audit.block import LogPlace
from sharing.audit.origins import format_origin
from sharing.errors import DecodeError
from sharing.model.times import DAY_MS, to_utc_day
from sharing.seal.day_secret import KEPT_DAYS, SECRET_KEY_PREFIX, unwrap_day_secret, wrap_day_secret
from sharing.sign.content_commitment import SECRET_BYTES

if TYPE_CHECKING:
    from pydantic import SecretBytes

    from processors.exactly_once.overlay import Overlay

_FIELD: Final = "day_secret"


class DaySecrets:
    """Finds and makes the secrets of days. It caches those in the state store. Its `repr` shows none.

    Args:
        random: Returns this many random bytes: `secrets.token_bytes`.
    """

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._known: dict[LogPlace, tuple[bytes, bytes, bytes]] = {}
        """The last secret of each log, after its key and its value in the state store."""

        self._cleaned: dict[int, tuple[object, str]] = {}

    def get(self, view: Overlay, place: LogPlace, now_ms: int, key_id: str, wrapping_key: SecretBytes) -> bytes:
        """Return the secret of a day; make it if there is none.

        Args:
            view: The batch's view of the state store.
            place: The log.
            now_ms: The time of the batch, in UTC milliseconds.
            key_id: Id of the State's wrapping key that is in force.
            wrapping_key: The key.

        Raises:
            DecodeError: The entry in the state store cannot be read, or was altered.
        """
        day = format_day(now_ms)
        key = make_secret_key(day, key_id)
        encoded = view.get(place.partition, key)
        known = self._known.get(place)
        if known is not None and known[:2] == (key, encoded):
            return known[2]
        origin = format_origin(place)
        if encoded is None:
            secret = self._random(SECRET_BYTES)
            wrapped = wrap_day_secret(wrapping_key, origin, day, secret)
            encoded = encode_entry(_FIELD, {"day": day, "wrapping_key": key_id, "wrapped": wrapped})
            view.put(place.partition, key, encoded)
        else:
            found = unwrap_day_secret(wrapping_key, origin, day, decode_entry(encoded, _FIELD)["wrapped"])
            if found is None:
                raise DecodeError(
                    f"the secret of {day} in the state store of {origin} was altered; restore the topic of the state "
                    "store, or delete this entry: what was decided on that day can then no longer be shown",
                    cause="MALFORMED",
                )
            secret = found
        self._known[place] = key, encoded, secret
        return secret

    def delete_ended(self, view: Overlay, now_ms: int) -> None:
        """Delete the secrets of the days whose retention has ended, once a day for each partition.

        Args:
            view: The batch's view of the state store.
            now_ms: The time of the batch, in UTC milliseconds.
        """
        day = format_day(now_ms)
        first_kept = format_day(now_ms - KEPT_DAYS * DAY_MS)
        for partition in view.partitions:
            done = (view.identify_copy(partition), day)
            if self._cleaned.get(partition) == done:
                continue
            self._cleaned[partition] = done
            for key in [key for key, _ in view.items(partition, SECRET_KEY_PREFIX)]:
                if read_day(key) < first_kept:
                    view.delete(partition, key)

    def __repr__(self) -> str:
        return "DaySecrets()"

    def __reduce__(self) -> str:
        raise TypeError("secrets are never copied or stored by pickle")


def format_day(now_ms: int) -> str:
    """Return the UTC day of an instant in UTC milliseconds: 2026-11-28."""
    return to_utc_day(now_ms).isoformat()


def make_secret_key(day: str, key_id: str) -> bytes:
    """Return the key of a secret in the state store."""
    return SECRET_KEY_PREFIX + f"{day}/{key_id}".encode()


def read_day(key: bytes) -> str:
    """Return the day in the key of a secret."""
    return key.removeprefix(SECRET_KEY_PREFIX).partition(b"/")[0].decode("ascii", "replace")
