"""Connects the witness of audit logs with the conversation's loop: its replies travel as messages of that loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.audit.witness import BatchWitness, Witness
from processors.audit.witness_keys import WitnessKeys
from processors.conversation.message_building import MessageBuilder, MessagePlace
from processors.inbox.refusals import RefusalError
from sharing.errors import InputError
from sharing.model.vocabulary import MessageKind
from sharing.rulings.reply import ReplyMessage, is_about_audit_log
from sharing.serialization.codec import decode_record
from sharing.trust.faults import TrustError

if TYPE_CHECKING:
    from processors.audit.witness_result import WitnessResult
    from processors.exactly_once.batch import ConsumedRecord, OutputRecord
    from processors.exactly_once.overlay import Overlay
    from processors.inbox.inbox_processor import InboxKeys
    from processors.sealing.loop_sealing import BatchSealing
    from sharing.seal.inbox_sealing import ReceivedMessage
    from sharing.serialization.framing import Framing


def is_about_witnessing(message: ReceivedMessage) -> bool:
    """Return whether an opened message is for the witness rather than for a conversation."""
    return message.kind is MessageKind.REPLY and is_about_audit_log(message.content)


class WitnessDriver:
    """Passes the witness its part of the batches of the conversation's loop.

    Args:
        witness: The witness.
        framing: How records are framed.
    """

    def __init__(self, witness: Witness, framing: Framing) -> None:
        self._witness = witness
        self._builder = MessageBuilder(witness.state, framing)

    def open_batch(
        self, view: Overlay, keys: InboxKeys, sealing: BatchSealing, now_ms: int, result: WitnessResult
    ) -> BatchWitness:
        """Return what processes the checkpoints and cosignatures of one batch.

        Args:
            view: The batch's view of the state store.
            keys: The keys of other States.
            sealing: The sealing of the batch.
            now_ms: The time, in UTC milliseconds.
            result: Receives the counts.
        """
        witness_keys = WitnessKeys(keys.trusted, sealing.signing_key, sealing.reachable)
        return self._witness.open_batch(view, witness_keys, now_ms, result)

    @staticmethod
    def receive(record: ConsumedRecord, message: ReceivedMessage, batch: BatchWitness) -> None:
        """Process an opened message for the witness.

        Raises:
            RefusalError: It is refused.
            DecodeError: An entry of the state store cannot be read.
        """
        try:
            batch.process_reply(record, ReplyMessage.from_record(decode_record("reply", message.content)))
        except InputError as error:
            raise RefusalError("MALFORMED", str(error)) from None
        except TrustError as error:
            raise RefusalError(str(error.fault), f"{message.from_state}: {error}") from None

    def build_messages(self, batch: BatchWitness, now_ms: int) -> list[OutputRecord]:
        """Return the replies that must be sent, not sealed yet.

        Args:
            batch: What has processed the part of the batch.
            now_ms: The time, in UTC milliseconds.
        """
        return [
            self._builder.build_reply(MessagePlace(reply.item_id, partition, now_ms), reply)
            for partition, reply in batch.take_replies()
        ]
