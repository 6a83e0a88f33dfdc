"""Decodes the items of an inbox for one reader: thousands a second, in which the readers' slots repeat for an hour.

An item has a slot for each reader, of 1.4 kB, which is the same in all items of an epoch, and a wrapped key, which is
not. So each distinct slot is decoded once and remembered by its bytes. No complete encoding of a slot is a prefix of
another one, so what begins with known bytes is that slot. Anything unexpected is decoded by `decode_item`, which says
what is wrong. The result is the same.
"""

from __future__ import annotations

from typing import Final, final

from sharing.model.bounded_cache import BoundedCache
from sharing.model.times import INSTANT_MAX_MS
from sharing.model.vocabulary import MessageKind
from sharing.seal.inbox_record import READERS_MAX, ItemEnvelope, ItemRecord, ReaderSlot, decode_item, get_header
from sharing.serialization.avro_primitives import read_bytes, read_natural
from sharing.serialization.codec import OUTPUT_RECORD_BYTES_MAX

_SLOTS_MAX: Final = 1_024
_LENGTHS_MAX: Final = 16
_KINDS: Final = tuple(MessageKind)
_END: Final = b"\x00"


@final
class ItemDecoder:
    """Decodes items, and remembers the slots of their readers."""

    def __init__(self) -> None:
        """Begin without known slots."""
        self._header = get_header()
        self._slots: BoundedCache[bytes, ReaderSlot] = BoundedCache(_SLOTS_MAX)
        self._lengths: list[int] = []

    def decode(self, value: bytes | None) -> ItemRecord:
        """Return the parts of a record.

        Args:
            value: The record in Avro single-object encoding.

        Raises:
            SealError: It is too long, or not an item of an inbox.
        """
        if value is not None and value.startswith(self._header) and len(value) <= OUTPUT_RECORD_BYTES_MAX:
            try:
                record = self._decode_known(value)
            except (IndexError, ValueError):
                record = None
            if record is not None:
                return record
        record = decode_item(value)
        for slot, _ in record.slots:
            self._remember(slot)
        return record

    def _decode_known(self, value: bytes) -> ItemRecord | None:
        """Return an item in its usual form with known slots; None if it is not one.

        Raises:
            IndexError: The bytes end too early.
            ValueError: A number is negative or longer than needed, or a text is not UTF-8.
        """
        start = len(self._header)
        item_id, position = read_bytes(value, start)
        kind, position = read_natural(value, position)
        from_state, position = read_bytes(value, position)
        to_state, position = read_bytes(value, position)
        urgency, position = read_bytes(value, position)
        received_at, position = read_natural(value, position)
        signer, position = read_bytes(value, position)
        suite, position = read_bytes(value, position)
        envelope_bytes = value[start:position]
        ciphertext, position = read_bytes(value, position)
        count, position = read_natural(value, position)
        if received_at > INSTANT_MAX_MS or not 0 < count <= READERS_MAX or _KINDS[kind] is MessageKind.UNKNOWN:
            return None
        slots = []
        for _ in range(count):
            for length in self._lengths:
                slot = self._slots.get(value[position : position + length])
                if slot is not None:
                    break
            else:
                return None
            wrapped_key, position = read_bytes(value, position + length)
            slots.append((slot, wrapped_key))
        if value[position:] != _END:
            return None
        envelope = ItemEnvelope(
            item_id.decode(), _KINDS[kind], from_state.decode(), to_state.decode(), urgency.decode(), received_at,
            signer.decode(), suite.decode(),
        )  # fmt: skip
        return ItemRecord(envelope, ciphertext, tuple(slots), envelope_bytes)

    def _remember(self, slot: ReaderSlot) -> None:
        data = slot.encode()
        if len(data) not in self._lengths:
            if len(self._lengths) >= _LENGTHS_MAX:
                self._lengths.clear()
                self._slots.clear()
            self._lengths.append(len(data))
        self._slots.put(data, slot)
