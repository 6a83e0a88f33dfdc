"""Publishes checked items, and says of each whether the broker has it: also after an interruption."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from sharing.cli.publish.unpublished_list import UnpublishedList
from sharing.errors import InputError, NotDeliveredError, SharingError
from sharing.interop.import_results import InputLocation, UnpublishedCause, make_outdated_reason, make_unpublished

if TYPE_CHECKING:
    from sharing.cli.publish.dry_run import Predictor
    from sharing.cli.publish.first_pass import CheckedInput
    from sharing.cli.publish.held_signals import HeldSignals
    from sharing.cli.publish.item_spool import ItemSpool, SpooledItem
    from sharing.clients.publisher import Publisher

BATCH_ITEMS = 10_000
"""After so many items a run waits for their confirmations."""

_CAUSES = {
    "source.agency": UnpublishedCause.OTHER_AGENCY,
    "source.state": UnpublishedCause.OTHER_STATE,
    "version": UnpublishedCause.OUTDATED,
}


class ItemFate(IntEnum):
    """What became of an item."""

    OPEN = 0
    CONFIRMED = 1
    EARLIER = 2
    REFUSED = 3


_PUBLISHED: Final = frozenset({int(ItemFate.CONFIRMED), int(ItemFate.EARLIER)})
_UNCONFIRMED: Final = frozenset({int(ItemFate.OPEN)})


@dataclass(slots=True)
class PublishingRun:
    """What became of the items of one run. Each is confirmed, refused or unconfirmed.

    Attributes:
        published: Number of items that the broker has confirmed, in this run or an earlier one of the same load.
        earlier: Number of those that an earlier run had published.
        refused: Those that may not be published: of another agency, too large, or older than what was published.
        unconfirmed: Number of all others. The broker may have some of them nevertheless.
        failure: Why the run ended early, or why the broker did not confirm some; None if neither.
        interruption: The signal that ended the run; None if there was none.
        receipt: Name of the receipt with which the load continues; "" if there is none.
    """

    published: int = 0
    earlier: int = 0
    refused: UnpublishedList = field(default_factory=UnpublishedList)
    unconfirmed: int = 0
    failure: SharingError | None = None
    interruption: BaseException | None = None
    receipt: str = ""

    @property
    def is_cut(self) -> bool:
        """Whether the run ended early."""
        return self.failure is not None or self.interruption is not None


class ItemFates:
    """What became of each item of a spool, in its order: a byte for each.

    Args:
        spool: The items.
        set_done: Called with the number of items that are done.
    """

    def __init__(self, spool: ItemSpool, set_done: Callable[[int], None]) -> None:
        self._spool = spool
        self._set_done = set_done
        self._fates = bytearray(len(spool))
        self._done = 0
        self.run = PublishingRun()

    def settle(self, index: int, fate: ItemFate) -> None:
        """Note what became of an item.

        Args:
            index: Its number, from 0.
            fate: What became of it.
        """
        self._fates[index] = fate
        self._done += 1
        self._set_done(self._done)

    def refuse(self, index: int, spooled: SpooledItem, error: InputError) -> None:
        """Note that an item may not be published, and list it with the reason."""
        cause = _CAUSES.get(error.field or "", UnpublishedCause.INVALID)
        self.run.refused.append(make_unpublished(InputLocation(spooled.file, spooled.place), cause, str(error)))
        self.settle(index, ItemFate.REFUSED)

    def settle_all(self, own_versions: Mapping[str, int]) -> None:
        """Note what would become of the items if they were published.

        Args:
            own_versions: As in `require_own_latest`.
        """
        for index, spooled in enumerate(self._spool):
            try:
                require_own_latest(spooled, own_versions)
            except InputError as error:
                self.refuse(index, spooled, error)
            else:
                self.settle(index, ItemFate.CONFIRMED)

    def sum_up(
        self, predictor: Predictor | None, expect: Callable[[str, int], object] | None, held: HeldSignals
    ) -> PublishingRun:
        """Return what became of all items.

        A signal that arrives meanwhile counts as the end of the run, and the rest is not predicted: the report is made.

        Args:
            predictor: What predicts the decision on each confirmed item; None if nobody wants that.
            expect: Called with id and version of each confirmed item; None if nobody waits for what becomes of it.
            held: Keeps the signals that arrive.
        """
        run = self.run
        run.earlier = self._fates.count(ItemFate.EARLIER)
        run.published = self._fates.count(ItemFate.CONFIRMED) + run.earlier
        run.unconfirmed = self._fates.count(ItemFate.OPEN)
        if predictor is None and expect is None:
            return run
        for spooled in self._iterate(_PUBLISHED):
            if held.has_kept:
                break
            if predictor is not None:
                predictor.add(spooled.item)
            if expect is not None:
                expect(spooled.item.id, spooled.item.version)
        run.interruption = run.interruption or held.take()
        return run

    def iterate_ids(self) -> Iterator[str]:
        """Yield the id of each confirmed item, in the order of the files."""
        return (spooled.item.id for spooled in self._iterate(_PUBLISHED))

    def iterate_unconfirmed(self) -> Iterator[SpooledItem]:
        """Yield the items of which it is not known that the broker has them, in the order of the files."""
        return self._iterate(_UNCONFIRMED) if self.run.unconfirmed else iter(())

    def _iterate(self, fates: frozenset[int]) -> Iterator[SpooledItem]:
        return (spooled for fate, spooled in zip(self._fates, self._spool, strict=True) if fate in fates)


def require_own_latest(spooled: SpooledItem, own_versions: Mapping[str, int]) -> None:
    """Check that the gate has not told the agency of a higher version of an item.

    Args:
        spooled: The item.
        own_versions: The highest version of each of the agency's items that has one above 1, by id.

    Raises:
        InputError: It has.
    """
    latest = own_versions.get(spooled.item.id, 0)
    if spooled.item.version < latest:
        where = f"`sharing items show {spooled.item.id}`"
        raise InputError(make_outdated_reason(latest, where), field="version")


def publish_items(publisher: Publisher, checked: CheckedInput, fates: ItemFates, held: HeldSignals) -> None:
    """Publish items, and wait for their confirmations.

    An item that the publisher refuses does not keep the others back. Whatever ends the run early, it is known which
    items are confirmed: the others can be published again under the same ids.

    Args:
        publisher: The publisher.
        checked: What was found in the files.
        fates: Where it is noted what became of the items.
        held: Keeps the signals that arrive while nothing may be interrupted.
    """
    run = fates.run
    waiting: dict[int, str] = {}
    try:
        with held.released():
            for index, spooled in enumerate(checked.spool):
                try:
                    require_own_latest(spooled, checked.own_versions)
                    publisher.publish(spooled.item)
                except InputError as error:
                    fates.refuse(index, spooled, error)
                else:
                    waiting[index] = spooled.item.id
                if len(waiting) >= BATCH_ITEMS:
                    _await_confirmations(publisher, waiting, fates)
                    if run.failure is not None:
                        return
    except SharingError as error:
        run.failure = error
    except (KeyboardInterrupt, SystemExit) as signal:
        run.interruption = signal
    try:
        with held.released():
            _await_confirmations(publisher, waiting, fates)
    except (KeyboardInterrupt, SystemExit) as signal:  # a second one does not wait: nothing more counts as confirmed
        run.interruption = signal


def _await_confirmations(publisher: Publisher, waiting: dict[int, str], fates: ItemFates) -> None:
    """Wait until the broker has confirmed the items that wait, and note which of them it has not."""
    missing: frozenset[str] = frozenset()
    try:
        publisher.flush()
    except NotDeliveredError as error:
        fates.run.failure = fates.run.failure or error
        missing = frozenset(error.ids)
    for index, identity in waiting.items():
        if identity not in missing:
            fates.settle(index, ItemFate.CONFIRMED)
    waiting.clear()
