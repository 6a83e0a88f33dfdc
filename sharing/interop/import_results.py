"""Results of an import: indicators with their locations, and everything that is not published, with the reason.

Nothing is dropped: each value in a file becomes an indicator or an unpublished entry. A reason never repeats a value.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from sharing.errors import InputError
from sharing.model.indicator import Indicator

if TYPE_CHECKING:
    from collections.abc import Mapping

_REASON_CHARACTERS_MAX = 600


class UnpublishedCause(StrEnum):
    """Why a value is not published, as a code for counting."""

    NOT_FOR_DETECTION = "NOT_FOR_DETECTION"
    FREE_TEXT = "FREE_TEXT"
    REFERENCE = "REFERENCE"
    UNSUPPORTED_TYPE = "UNSUPPORTED_TYPE"
    ATTACHMENT = "ATTACHMENT"
    INVALID = "INVALID"
    MALFORMED = "MALFORMED"
    DUPLICATE = "DUPLICATE"
    DELETED = "DELETED"
    PROPOSAL = "PROPOSAL"
    REPORT = "REPORT"
    OTHER_EVENT = "OTHER_EVENT"
    OTHER_STATE = "OTHER_STATE"
    OTHER_AGENCY = "OTHER_AGENCY"


class ConflictingItemError(InputError):
    """Two entries have the same id and version, and different contents. Which of them is meant is unknown."""


class InputLocation(NamedTuple):
    """A location in a file: a line number, or a JSON pointer (RFC 6901) with `#part` for one part of a composite."""

    file: str
    position: str


class LocatedIndicator(NamedTuple):
    """An indicator and its location in the input."""

    file: str
    position: str
    indicator: Indicator


class UnpublishedEntry(NamedTuple):
    """A value that is not published: its location, and why."""

    file: str
    position: str
    cause: UnpublishedCause
    reason: str

    @property
    def is_refused(self) -> bool:
        """Whether its agency meant to publish it, and must correct it.

        So is a faulty line of JSON lines. A file of another system has many values that are no indicators, or are
        wrong there; they are listed, and nobody can correct them here.
        """
        is_line = self.position.isdigit()
        return self.cause in _FOREIGN_CAUSES or (is_line and self.cause in _FAULTS)


_FOREIGN_CAUSES = frozenset({UnpublishedCause.OTHER_STATE, UnpublishedCause.OTHER_AGENCY})

_FAULTS = frozenset({UnpublishedCause.INVALID, UnpublishedCause.MALFORMED})


ParsedEntry = LocatedIndicator | UnpublishedEntry


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The result of importing files.

    Attributes:
        files: Names of the files that were read.
        indicators: The indicators to publish, in file order.
        unpublished: All other values in the files.
        unreadable: One error for each file that could not be read.
    """

    files: tuple[str, ...]
    indicators: tuple[LocatedIndicator, ...]
    unpublished: tuple[UnpublishedEntry, ...]
    unreadable: tuple[InputError, ...] = ()

    @property
    def total(self) -> int:
        """Number of values found: always the number of indicators plus the number of unpublished entries."""
        return len(self.indicators) + len(self.unpublished)


class DuplicateFilter:
    """Detects duplicates among the indicators of one import, and different items under one id and version."""

    def __init__(self) -> None:
        self._contents: dict[bytes, InputLocation] = {}
        self._versions: dict[tuple[str, int], tuple[InputLocation, bytes]] = {}

    def check(self, location: InputLocation, indicator: Indicator, *, by_value: bool) -> ParsedEntry:
        """Return the indicator with its location, or an unpublished entry if it is a duplicate.

        Args:
            location: Location of the indicator.
            indicator: The indicator.
            by_value: Whether an indicator with the same type, value and facts is a duplicate whatever its id. True for
                MISP, and for a line without an id; a line with an id identifies its own item. Indicators whose facts
                differ (a stricter TLP, another offence) are never duplicates.

        Raises:
            ConflictingItemError: Another indicator has the same id and version. The message names both locations.
        """
        version = (indicator.id, indicator.version)
        content = _digest_content(indicator)
        if by_value and content in self._contents:
            first = _describe_location(self._contents[content], location)
            reason = f"has the type, value and facts of {first}"
            return make_unpublished(location, UnpublishedCause.DUPLICATE, reason)
        whole = _digest_whole(indicator)
        if version in self._versions:
            first_location, first_whole = self._versions[version]
            first = _describe_location(first_location, location)
            if whole != first_whole:
                raise ConflictingItemError(
                    f"{location.file}: {_describe_position(location)} has the id and version of {first}, and another "
                    "content; give a changed item a higher version, and another item another id",
                    field="id",
                    location=location.position,
                )
            return make_unpublished(location, UnpublishedCause.DUPLICATE, f"has the id and version of {first}")
        self._versions[version] = location, whole
        self._contents.setdefault(content, location)
        return LocatedIndicator(*location, indicator)


def _digest_content(indicator: Indicator) -> bytes:
    """Return a digest of every field that matters to a law: all but id, summary and time of observation."""
    text = indicator.model_dump_json(exclude={"id", "summary", "observed_at"})
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _digest_whole(indicator: Indicator) -> bytes:
    """Return a digest of every field."""
    return hashlib.blake2b(indicator.model_dump_json().encode(), digest_size=16).digest()


def _describe_location(first: InputLocation, location: InputLocation) -> str:
    position = _describe_position(first)
    return position if first.file == location.file else f"{position} in {first.file}"


def _describe_position(location: InputLocation) -> str:
    return f"line {location.position}" if location.position.isdigit() else location.position


def make_unpublished(location: InputLocation, cause: UnpublishedCause, reason: str) -> UnpublishedEntry:
    """Return an unpublished entry whose reason is printable and fits on one line."""
    printable = "".join(character if character.isprintable() else "?" for character in reason)
    if len(printable) > _REASON_CHARACTERS_MAX:
        printable = f"{printable[:_REASON_CHARACTERS_MAX]}…"
    return UnpublishedEntry(*location, cause, printable)


def build_indicator(fields: Mapping[str, Any]) -> Indicator:
    """Return the indicator that the fields describe.

    Raises:
        InputError: The fields are not a valid indicator. The message names fields and never repeats a value.
    """
    try:
        return Indicator.parse(dict(fields))
    except OverflowError:  # a time near year 1 or 9999 whose time zone moves it out of range
        raise InputError("a time is outside the years 1 to 9999; correct it") from None
