"""Opens a record on one of a State's topics: it contains a notice, an offer, or nothing for the subscriber."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from sharing.errors import DecodeError
from sharing.model.offer import Offer
from sharing.model.record_times import read_broker_stamp
from sharing.model.vocabulary import MessageKind
from sharing.serialization.codec import get_codec

if TYPE_CHECKING:
    from sharing.kafka.polled_record import PolledRecord
    from sharing.kafka.use_log import UseLog
    from sharing.serialization.framing import Framing

OFFER_DIGEST: Final = b"offer"
"""Used as the digest of every offer: an offer is identified by its id alone, which is the id of an Ask."""

_OFFER_HEADER: Final = get_codec("offer").header


class ItemOpener(Protocol):
    """What opens the items of a State's inbox: an `InboxReader`."""

    @property
    def state(self) -> str:
        """The State whose inbox it opens."""
        ...

    @property
    def uses(self) -> UseLog | None:
        """Log in which each delivery is recorded; None for none."""
        ...

    def open_item(self, value: bytes, arrived_at: int | None = None) -> tuple[MessageKind, bytes]:
        """Return what an item is, and the notice or offer in it, as an Avro record.

        Args:
            value: The item, in Avro single-object encoding.
            arrived_at: When it arrived by the broker's clock, in UTC milliseconds; None if the broker does not say so.

        Raises:
            DecodeError: The item is refused.
            InfrastructureError: No item can be verified at the moment.
        """
        ...


class RecordOpener:
    """Tells notices and offers apart, and opens what is sealed.

    Args:
        framing: How records are framed.
        reader: Opens the items of the State's inbox; None if what is read is not sealed.
        urgent_topic: The topic that has notices and offers, if nothing is sealed.
        offers_topic: The topic that has offers only; "" if it is not read.
    """

    def __init__(self, framing: Framing, reader: ItemOpener | None, urgent_topic: str, offers_topic: str) -> None:
        self._framing = framing
        self._reader = reader
        self._urgent_topic = urgent_topic
        self._offers_topic = offers_topic

    def open(self, record: PolledRecord) -> tuple[MessageKind | None, bytes | None]:
        """Return the kind and the opened value of a record; no kind if it is to be skipped.

        Raises:
            DecodeError: It cannot be read.
            InfrastructureError: No item can be verified at the moment.
        """
        message = record.message
        if message is None:
            cause = record.bad_batch.cause.removeprefix("_") if record.bad_batch is not None else "UNREADABLE"
            raise DecodeError(
                "the records cannot be decompressed, or become larger than this client accepts", cause=cause
            )
        value = self._framing.to_single_object(message.value())
        if self._reader is not None:
            if not value:  # a deleted item
                return None, None
            return self._reader.open_item(value, read_broker_stamp(message))
        if record.topic == self._offers_topic or (
            record.topic == self._urgent_topic and value is not None and value.startswith(_OFFER_HEADER)
        ):
            return MessageKind.OFFER, value
        return MessageKind.NOTICE, value


def decode_offer(value: bytes | None, state: str) -> Offer:
    """Return the offer in a record.

    Args:
        value: The record in single-object encoding.
        state: The State to which it must be addressed.

    Raises:
        DecodeError: It is not an offer to this State.
    """
    try:
        offer = Offer.from_record(get_codec("offer").decode(value))
    except ValueError as error:
        raise DecodeError(f"not an offer of this version ({type(error).__name__})", cause="UNREADABLE") from None
    if offer.to_state != state:
        raise DecodeError(f"the offer is addressed to {offer.to_state}, not to {state}", cause="WRONG_STATE")
    return offer
