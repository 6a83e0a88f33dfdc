"""Keeps in the state store what people must still be notified of, until the message has been sent.

`keep` belongs to a batch: new notifications of the batch are written to its view of the state store, those sent since
are removed from it, and those that an earlier owner of a partition left unsent are found. The callback that it returns
must be called when the batch is settled: nothing is handed to the sender before the batch is committed. A message that
was sent just before a crash is sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from processors.conversation.conversation_result import DueAlert
from sharing.conversation.effects import Escalate, Overdue
from sharing.conversation_state.escalations import (
    Escalation,
    EscalationCause,
    EscalationKey,
    EscalationMark,
    find_escalation,
    read_escalation_key,
    read_escalation_mark,
)
from sharing.conversation_state.item_keys import ESCALATION_PREFIX
from sharing.errors import DecodeError


class EscalationView(Protocol):
    """A batch's view of the state store: `processors.exactly_once.overlay.Overlay`."""

    @property
    def partitions(self) -> frozenset[int]:
        """The partitions that are assigned."""

    def identify_copy(self, partition: int) -> object:
        """Return an object that is replaced by another when the copy of the partition is closed and opened again."""

    def get(self, partition: int, key: bytes) -> bytes | None:
        """Return the value of a key, or None."""

    def items(self, partition: int, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield the entries of a partition whose keys have this prefix."""

    def put(self, partition: int, key: bytes, value: bytes) -> None:
        """Set the value of a key."""

    def delete(self, partition: int, key: bytes) -> None:
        """Remove a key if it exists."""


class EscalationSender(Protocol):
    """Sends messages asynchronously. None of its methods blocks or raises."""

    def submit(self, escalations: Iterable[Escalation]) -> None:
        """Take what must be sent."""

    def list_sent(self) -> list[Escalation]:
        """Return what was sent but is not settled yet."""

    def settle(self, escalations: Iterable[Escalation]) -> None:
        """Forget what was sent, because its entries are removed."""


class EscalationOutbox:
    """The unsent escalations of the partitions that a worker has. Nothing here is thread-safe.

    Args:
        sender: Sends the messages.
    """

    def __init__(self, sender: EscalationSender) -> None:
        self._sender = sender
        self._copies: dict[int, object] = {}

    def keep(self, view: EscalationView, alerts: Iterable[DueAlert]) -> Callable[[bool], None]:
        """Write a batch's notifications to its view. Return what to call with whether the batch was committed.

        Args:
            view: The batch's view of the state store, in which the items are already stored.
            alerts: What people must be notified of. Nobody is notified of an Ask that has ended in the same batch.
        """
        sent = self._remove_sent(view)
        found = self._find_unsent(view)
        for alert in alerts:
            key, mark = _identify(alert)
            found.pop(key, None)
            escalation = find_escalation(key, mark, view.get(key.partition, key.entry))
            if escalation is not None:
                view.put(key.partition, key.encode(), mark.encode())
                found[key] = escalation

        def settle(committed: bool) -> None:  # noqa: FBT001 the signature of `on_settled`
            if committed:
                self._sender.settle(sent)
                self._sender.submit(found.values())

        return settle

    def _remove_sent(self, view: EscalationView) -> list[Escalation]:
        """Remove the entries of what was sent, unless there is more to send by now, in this worker's partitions."""
        sent = self._sender.list_sent()
        for escalation in sent:
            partition, key = escalation.key.partition, escalation.key.encode()
            if partition in view.partitions and view.get(partition, key) == escalation.mark.encode():
                view.delete(partition, key)
        return sent

    def _find_unsent(self, view: EscalationView) -> dict[EscalationKey, Escalation]:
        """Return what is unsent in the partitions that were taken, or opened again."""
        self._copies = {partition: copy for partition, copy in self._copies.items() if partition in view.partitions}
        found: dict[EscalationKey, Escalation] = {}
        for partition in view.partitions:
            copy = view.identify_copy(partition)
            if self._copies.get(partition) is not copy:
                self._copies[partition] = copy
                for escalation in _read_partition(view, partition):
                    found[escalation.key] = escalation
        return found


def _identify(alert: DueAlert) -> tuple[EscalationKey, EscalationMark]:
    match alert.effect:
        case Escalate(ask, step):
            mark = EscalationMark(EscalationCause.UNANSWERED, step)
        case Overdue(ask):
            mark = EscalationMark(EscalationCause.OVERDUE)
        case opened:
            ask, mark = opened.ask.id, EscalationMark(EscalationCause.OPENED)
    return EscalationKey(alert.entry.partition, alert.entry.key, ask), mark


def _read_partition(view: EscalationView, partition: int) -> list[Escalation]:
    """Return what is unsent in a partition. Entries that are malformed, or whose Ask has ended, are removed."""
    unsent = []
    for entry_key, value in list(view.items(partition, ESCALATION_PREFIX)):
        try:
            key = read_escalation_key(partition, entry_key)
            escalation = find_escalation(key, read_escalation_mark(value), view.get(partition, key.entry))
        except DecodeError:
            escalation = None
        if escalation is None:
            view.delete(partition, entry_key)
        else:
            unsent.append(escalation)
    return unsent
