"""Publishes the indicators of some files, and says of each whether the broker has it: also after an interruption."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sharing.errors import InputError, NotDeliveredError, SharingError
from sharing.interop.import_results import InputLocation, UnpublishedCause, make_unpublished

if TYPE_CHECKING:
    from sharing._publisher import Publisher
    from sharing.interop.import_results import LocatedIndicator, UnpublishedEntry

_CAUSES = {"source.agency": UnpublishedCause.OTHER_AGENCY, "source.state": UnpublishedCause.OTHER_STATE}


@dataclass(frozen=True, slots=True)
class PublishingRun:
    """What became of the indicators of one run. Each is in exactly one of the first three.

    Attributes:
        confirmed: Those that the broker has confirmed.
        refused: Those that may not be published: of another agency, or too large.
        unconfirmed: All others. The broker may have some of them nevertheless.
        failure: Why the run ended early, or why the broker did not confirm some; None if neither.
        interruption: The signal that ended the run; None if there was none.
    """

    confirmed: tuple[LocatedIndicator, ...]
    refused: tuple[UnpublishedEntry, ...] = ()
    unconfirmed: tuple[LocatedIndicator, ...] = ()
    failure: SharingError | None = None
    interruption: BaseException | None = None


def publish_indicators(
    publisher: Publisher, indicators: Sequence[LocatedIndicator], set_done: Callable[[int], None]
) -> PublishingRun:
    """Publish indicators, and wait for their confirmations.

    An indicator that the publisher refuses does not keep the others back. Whatever ends the run early, it is known
    which indicators are confirmed: the others can be published again under the same ids.

    Args:
        publisher: The publisher.
        indicators: The indicators, in the order of the files.
        set_done: Called with the number of indicators that are queued or refused.
    """
    refused: list[UnpublishedEntry] = []
    queued: list[LocatedIndicator] = []
    failure: SharingError | None = None
    interruption: BaseException | None = None
    done = 0
    try:
        for located in indicators:
            try:
                publisher.publish(located.indicator)
            except InputError as error:
                cause = _CAUSES.get(error.field or "", UnpublishedCause.INVALID)
                location = InputLocation(located.file, located.position)
                refused.append(make_unpublished(location, cause, str(error)))
            else:
                queued.append(located)
            done += 1
            set_done(done)
    except SharingError as error:
        failure = error
    except (KeyboardInterrupt, SystemExit) as signal:
        interruption = signal
    missing_ids: frozenset[str] = frozenset()
    try:
        publisher.flush()
    except NotDeliveredError as error:
        failure = failure or error
        missing_ids = frozenset(error.ids)
    except (KeyboardInterrupt, SystemExit) as signal:  # a second one does not wait: nothing counts as confirmed
        interruption = signal
        missing_ids = frozenset(located.indicator.id for located in queued)
    return PublishingRun(
        confirmed=tuple(located for located in queued if located.indicator.id not in missing_ids),
        refused=tuple(refused),
        unconfirmed=(
            *(located for located in queued if located.indicator.id in missing_ids),
            *indicators[done:],
        ),
        failure=failure,
        interruption=interruption,
    )
