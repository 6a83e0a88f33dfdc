"""A data key of sealed indicators (`indicators`) after it was opened: opens the records that were sealed under it.

The bytes before the nonce are the same in all these records. Ciphertexts have few lengths, because contents are padded,
so the position of everything in a record follows from its length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sharing.seal.faults import SealError, SealFault
from sharing.seal.indicator_record import INDICATOR_BYTES_MAX, NONCE_BYTES, hash_head, make_malformed
from sharing.seal.message_keys import TAG_BYTES
from sharing.seal.padding import LENGTH_CLASSES
from sharing.serialization.avro_primitives import encode_long
from sharing.serialization.codec import HEADER_LENGTH

_MARK: Final = b"\x80"
_ZEROS: Final = bytes(INDICATOR_BYTES_MAX)


class _Layout(NamedTuple):
    """Where things are in a record of a certain length under a certain data key.

    Attributes:
        length: Encoded length of the ciphertext.
        start: Where the ciphertext begins.
        shorter: The next shorter class of lengths: the content has at least this many bytes.
    """

    length: bytes
    start: int
    shorter: int


@final
class OpenedDataKey:
    """A data key that opens the records under it. Its `repr` shows no secret."""

    __slots__ = ("_decrypt", "_digest", "_layouts", "_nonce_end", "_nonce_start", "head")

    def __init__(self, secret: bytes, head: bytes) -> None:
        """Keep a data key.

        Args:
            secret: 32 bytes.
            head: What precedes the nonce in each record, with the header.
        """
        self.head = head
        self._decrypt = AESGCM(secret).decrypt
        self._digest = hash_head(head[HEADER_LENGTH:])
        self._nonce_start = len(head)
        self._nonce_end = nonce_end = len(head) + NONCE_BYTES
        self._layouts: dict[int, _Layout] = {}
        for shorter, padded in zip((0, *LENGTH_CLASSES), LENGTH_CLASSES, strict=False):
            length = encode_long(padded + TAG_BYTES)
            start = nonce_end + len(length)
            self._layouts[start + padded + TAG_BYTES] = _Layout(length, start, shorter)

    def open_run(
        self, values: Sequence[bytes | None], keys: Sequence[bytes | None], opened: list[bytes | None]
    ) -> None:
        """Open the records that begin with `head`, from the first that is not yet opened to the last in a row.

        One loop without calls of our own, because a gate does this for each indicator, and most follow one of the same
        publisher.

        Args:
            values: The values of all records.
            keys: The keys of all records.
            opened: Their contents so far; those of this run are appended.

        Raises:
            SealError: A record was cut or altered, or has another key. The contents before it are appended.
        """
        head, digest, decrypt, layouts = self.head, self._digest, self._decrypt, self._layouts
        nonce_start, nonce_end = self._nonce_start, self._nonce_end
        for position in range(len(opened), len(values)):
            value = values[position]
            if value is None or not value.startswith(head):
                return
            layout = layouts.get(len(value))
            if layout is None:
                raise make_malformed()
            length, start, shorter = layout
            if not value.startswith(length, nonce_end):
                raise make_malformed()
            try:
                padded = decrypt(value[nonce_start:nonce_end], value[start:], digest + (keys[position] or b""))
            except InvalidTag:
                raise SealError(
                    SealFault.NOT_OPENED,
                    "the indicator does not open: it was altered, or is not the record that was published with this "
                    "key",
                ) from None
            end = padded.rfind(_MARK)  # several times as fast as removing zeros one by one
            if end < shorter or not _ZEROS.startswith(padded[end + 1 :]):
                raise SealError(SealFault.BAD_PADDING, "the indicator is not padded correctly; update its publisher")
            opened.append(padded[:end])

    def __repr__(self) -> str:
        return "OpenedDataKey()"
