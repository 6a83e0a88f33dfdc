"""Bulk loads: publishes what a receipt does not show yet, exactly once, over any number of runs."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from sharing.cli.publish.publishing import ItemFate, require_own_latest
from sharing.cli.publish.receipt import make_place
from sharing.clients.bulk_publisher import BulkProgress
from sharing.errors import InfrastructureError, InputError, SharingError
from sharing.interop.import_results import make_outdated_reason
from sharing.kafka.topic_ids import is_other_topic

if TYPE_CHECKING:
    from sharing.cli.publish.first_pass import CheckedInput
    from sharing.cli.publish.held_signals import HeldSignals
    from sharing.cli.publish.item_spool import SpooledItem
    from sharing.cli.publish.publishing import ItemFates
    from sharing.cli.publish.receipt import Receipt, ReceiptContent
    from sharing.clients.bulk_publisher import BulkPublisher
    from sharing.clients.publisher_records import PreparedRecord

BATCH_ITEMS: Final = 5_000
BATCH_BYTES: Final = 4_000_000
"""How much one transaction contains. A batch with more bytes has one item more than fits.

A commit takes about as long as making a thousand records.
"""


def open_load(
    make_publisher: Callable[[str], BulkPublisher], content: ReceiptContent | None
) -> tuple[str, BulkPublisher]:
    """Return the id of a load and its publisher, after the load has begun.

    Args:
        make_publisher: Returns the publisher of a load.
        content: What the receipt of an earlier run says; None for a new load.

    Raises:
        InputError: The receipt is that of another cluster, or the topic was created again since.
        InfrastructureError: The broker does not know the load any more.
    """
    if content is not None:
        publisher = make_publisher(content.load)
        if publisher.cluster != content.cluster:
            raise InputError(
                "the receipt belongs to a load on another cluster, which this one has no record of; name that "
                "cluster with --bootstrap, or another --receipt"
            )
        if is_other_topic(content.topic_id, publisher.topic_id):
            raise InputError(
                f"{publisher.topic} was deleted and created again since the load began: what it had confirmed, but "
                "its gate had not decided, is lost. Publish the files with another --receipt: the items keep "
                "their ids, so "
                "that no State receives one twice"
            )
        if publisher.progress is not None and publisher.progress.published >= content.recorded:
            return content.load, publisher
        if not content.is_ended:
            raise InfrastructureError(
                "the broker has forgotten the load: it remembers one for 7 days. The last items of the last run may "
                "have been published without being in the receipt; publish the files with another --receipt: the "
                "items keep their "
                "ids, so that no State receives one twice"
            )
        publisher.close()
        content.recorded = 0  # all that is published is in the receipt: the rest is a new load
    load = secrets.token_hex(8)
    publisher = make_publisher(load)
    publisher.begin()
    return load, publisher


class SendableItem(NamedTuple):
    """An item that the receipt does not show, and that may be published."""

    number: int
    spooled: SpooledItem
    record: PreparedRecord


class BulkLoad:
    """One run of a load.

    Args:
        publisher: The publisher.
        receipt: The receipt.
        checked: What was found in the files.
        fates: Where it is noted what became of the items.
    """

    def __init__(self, publisher: BulkPublisher, receipt: Receipt, checked: CheckedInput, fates: ItemFates) -> None:
        self._publisher = publisher
        self._receipt = receipt
        self._checked = checked
        self._fates = fates
        fates.run.receipt = str(receipt.path)

    def begin(self, begun: str) -> None:
        """Check that the receipt belongs to these files, and write down that the run begins.

        Args:
            begun: The first line of the run.

        Raises:
            InputError: The receipt belongs to other files.
            InfrastructureError: The receipt cannot be written.
        """
        if self._receipt.content.digests != self._checked.digests:
            self._check_other_files()
        self._receipt.begin(begun)

    def publish_items(self, held: HeldSignals) -> None:
        """Publish what is missing. What ends the run early is noted.

        Args:
            held: Keeps the signals that arrive while nothing may be interrupted.

        Raises:
            InputError: The broker has something that these files do not have. Nothing was published.
        """
        run = self._fates.run
        try:
            with held.released():
                for entry in self._checked.unpublished:
                    if make_place(entry.file, entry.position) not in self._receipt.content.refused:
                        self._receipt.refuse_line(entry.file, entry.position, entry.reason)
                sendable = self._iterate_sendable()
                self._recover(list(islice(sendable, self._unrecorded)))
                while (first := next(sendable, None)) is not None:
                    self._send_batch(first, sendable)
                self._receipt.end()
        except InputError:
            raise
        except SharingError as error:
            run.failure = error
        except (KeyboardInterrupt, SystemExit) as signal:
            run.interruption = signal

    @property
    def _unrecorded(self) -> int:
        """Number of items that are published, and that the receipt does not show."""
        progress = self._publisher.progress
        return 0 if progress is None else progress.published - self._receipt.content.recorded

    def _check_other_files(self) -> None:
        """Check that these files are the corrected ones: they have all that is confirmed.

        Raises:
            InputError: They are not, or it is not yet known what is confirmed.
        """
        path, confirmed = self._receipt.path, self._receipt.content.confirmed
        if self._unrecorded:
            raise InputError(
                f"{path}: the last run was interrupted, and these are not its files: resume with the files as they "
                "were then, and after that with the corrected ones"
            )
        found = sum(spooled.key in confirmed for spooled in self._checked.spool)
        if found < len(confirmed):
            raise InputError(
                f"{path}: is the receipt of other files: {len(confirmed) - found} items that it shows as confirmed are "
                "not in these; name its files, or another --receipt"
            )

    def _iterate_sendable(self) -> Iterator[SendableItem]:
        """Yield what the receipt does not show, and note what it shows and what is refused.

        The first of them are those that the last run had published without being able to write it down: what the gate
        says now of their versions was not known to it.
        """
        content = self._receipt.content
        unrecorded = self._unrecorded
        for index, spooled in enumerate(self._checked.spool):
            if spooled.key in content.confirmed:
                self._fates.settle(index, ItemFate.EARLIER)
                continue
            try:
                self._require_latest(spooled)
                if not unrecorded:
                    require_own_latest(spooled, self._checked.own_versions)
                elif make_place(spooled.file, spooled.place) in content.refused:
                    raise InputError("was refused by the last run, which was interrupted; resume again to send it")
                record = self._publisher.prepare_record(spooled.item)
            except InputError as error:
                self._fates.refuse(index, spooled, error)
                if make_place(spooled.file, spooled.place) not in content.refused:
                    self._receipt.refuse(spooled, str(error))
            else:
                unrecorded = max(0, unrecorded - 1)
                yield SendableItem(index, spooled, record)

    def _require_latest(self, spooled: SpooledItem) -> None:
        """Check that the receipt shows no higher version of an item.

        Raises:
            InputError: It does.
        """
        latest = self._receipt.content.latest.get(spooled.item.id, 0)
        if spooled.item.version < latest:
            raise InputError(make_outdated_reason(latest, str(self._receipt.path)), field="version")

    def _recover(self, items: list[SendableItem]) -> None:
        """Write down what an earlier run had published without being able to write it down.

        Raises:
            InputError: It is not what these files have there.
        """
        last = self._publisher.progress.last if self._publisher.progress is not None else ""
        if len(items) < self._unrecorded or (items and items[-1].spooled.key != last):
            raise InputError(
                f"{self._receipt.path}: the broker has different items of this load than the files have at the same "
                "place; resume with the same files, options and id secret as before"
            )
        self._receipt.confirm(item.spooled for item in items)
        for item in items:
            self._fates.settle(item.number, ItemFate.EARLIER)

    def _send_batch(self, first: SendableItem, following: Iterator[SendableItem]) -> None:
        batch: list[SpooledItem] = []

        def finish() -> BulkProgress:
            self._receipt.write_refusals()  # the next run can then tell what this one sends from what it refuses
            return BulkProgress(self._receipt.content.recorded + len(batch), batch[-1].key)

        numbers: list[int] = []
        self._publisher.commit(_iterate_batch(first, following, batch, numbers), finish)
        for number in numbers:
            self._fates.settle(number, ItemFate.CONFIRMED)
        self._receipt.confirm(batch)


def _iterate_batch(
    first: SendableItem, following: Iterator[SendableItem], batch: list[SpooledItem], numbers: list[int]
) -> Iterator[PreparedRecord]:
    """Yield the records of a batch, and add its items and their numbers to the lists."""
    size = 0
    item: SendableItem | None = first
    while item is not None:
        batch.append(item.spooled)
        numbers.append(item.number)
        size += len(item.record.value)
        yield item.record
        item = next(following, None) if len(batch) < BATCH_ITEMS and size < BATCH_BYTES else None
