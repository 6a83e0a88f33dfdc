"""What reading a file gives: indicators with their places, and everything that is not published, with its reason.

Nothing is dropped: what a file holds is either an indicator or listed. A reason never repeats a value.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from sharing.errors import InputError
from sharing.interop.profile import NO_PROFILE, PublishingProfile, merge
from sharing.model.countries import normalise_country
from sharing.model.indicator import Indicator, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FILE_BYTES_MAX = 64 * 1024 * 1024
"""Larger files are refused before they are read, unless the caller raises the limit."""

_REASON_CHARACTERS_MAX = 600


class FileFormat(StrEnum):
    """Formats of files, as `--format` names them. AUTO looks at the content."""

    AUTO = "auto"
    JSONL = "jsonl"
    MISP = "misp"
    STIX = "stix"


class Cause(StrEnum):
    """Why something is not published, as a code to count by."""

    NOT_FOR_DETECTION = "NOT_FOR_DETECTION"
    FREE_TEXT = "FREE_TEXT"
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


class InputLocation(NamedTuple):
    """A place in a file: a line number, or a JSON pointer (RFC 6901); `#part` for one part of a composite."""

    file: str
    place: str


class PlacedIndicator(NamedTuple):
    """An indicator, and where it stands."""

    file: str
    place: str
    indicator: Indicator


class Unpublished(NamedTuple):
    """Something that is not published: where it stands, and why."""

    file: str
    place: str
    cause: Cause
    reason: str


ParsedEntry = PlacedIndicator | Unpublished


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """Who publishes: the State (ISO 3166-1 alpha-2) and the agency.

    Raises:
        InputError: The State is no country, or the agency is empty or too long.
    """

    state: str
    agency: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", normalise_country(self.state))
        try:
            Source(state=self.state, agency=self.agency)
        except ValueError:
            raise InputError("the agency must be a text of 1 to 512 characters", field="source.agency") from None


@dataclass(frozen=True, slots=True)
class ImportContext:
    """How files are read.

    Attributes:
        source: Who publishes them.
        make_id: Gives an id (a UUID) to what has none.
        profile: The facts that the files do not carry.
        format: Of all the files, or AUTO.
        bytes_max: Largest file that is read.
        on_progress: Called with the file and the share of it that is done, from 0 to 1.
    """

    source: SourceInfo
    make_id: Callable[[], str]
    profile: PublishingProfile = NO_PROFILE
    format: FileFormat = FileFormat.AUTO
    bytes_max: int = FILE_BYTES_MAX
    on_progress: Callable[[str, float], None] | None = None

    def report(self, file: str, done: float) -> None:
        """Tell how far the reading of a file is."""
        if self.on_progress is not None:
            self.on_progress(file, min(done, 1.0))

    def facts(self, type_name: str, tags: tuple[str, ...] = ()) -> dict[str, Any]:
        """Return what is known of an indicator before its file is asked: the profile's facts, and the source."""
        source = {"source": {"state": self.source.state, "agency": self.source.agency}}
        return merge(self.profile.facts(type_name, tags), source)


@dataclass(frozen=True, slots=True)
class FileReading:
    """The outcome of reading some files. `read` is always the sum of the two lists.

    Attributes:
        files: Names of the files that were read.
        indicators: What can be published, in the order of the files.
        not_published: Everything else that they hold.
        unreadable: The files that cannot be read at all, each with its error.
    """

    files: tuple[str, ...]
    indicators: tuple[PlacedIndicator, ...]
    not_published: tuple[Unpublished, ...]
    unreadable: tuple[InputError, ...] = ()

    @property
    def read(self) -> int:
        """Number of values that were found: published or listed."""
        return len(self.indicators) + len(self.not_published)


class IdRegister:
    """What a run has read so far, to see what stands twice."""

    def __init__(self) -> None:
        self._contents: dict[bytes, InputLocation] = {}
        self._versions: dict[tuple[str, int], InputLocation] = {}

    def admit(self, where: InputLocation, indicator: Indicator, *, by_value: bool) -> ParsedEntry:
        """Return the indicator in its place, or that it stands twice.

        Args:
            where: Its place.
            indicator: The indicator.
            by_value: Whether the same type and value make it the same, whatever its id: so in MISP, and for a line
                without an id. A line with an id says itself which item it is. Where the facts differ (a stricter
                TLP, another offence), neither stands for the other, and both are items.
        """
        version = (indicator.id, indicator.version)
        content = _content(indicator)
        if by_value and content in self._contents:
            first = _say(self._contents[content], where)
            return unpublished(where, Cause.DUPLICATE, f"has the type, value and facts of {first}")
        if version in self._versions:
            first = _say(self._versions[version], where)
            return unpublished(where, Cause.DUPLICATE, f"has the id and version of {first}")
        self._versions[version] = where
        self._contents.setdefault(content, where)
        return PlacedIndicator(*where, indicator)


def _content(indicator: Indicator) -> bytes:
    """Return a digest of all that makes two items the same to a law, whoever saw it when and in whatever words."""
    text = indicator.model_dump_json(exclude={"id", "summary", "observed_at"})
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _say(first: InputLocation, where: InputLocation) -> str:
    place = f"line {first.place}" if first.place.isdigit() else first.place
    return place if first.file == where.file else f"{place} in {first.file}"


def unpublished(where: InputLocation, cause: Cause, reason: str) -> Unpublished:
    """Return an entry of the list of what is not published, its reason made fit to be shown in a line."""
    shown = "".join(character if character.isprintable() else "?" for character in reason)
    if len(shown) > _REASON_CHARACTERS_MAX:
        shown = f"{shown[:_REASON_CHARACTERS_MAX]}…"
    return Unpublished(*where, cause, shown)


def build(fields: Mapping[str, Any]) -> Indicator:
    """Return the indicator that some fields describe.

    Raises:
        InputError: They do not describe one; the message names fields and never repeats a value.
    """
    try:
        return Indicator.read(dict(fields))
    except OverflowError:  # a time at the edge of the calendar, in a zone beyond it
        raise InputError("a time lies outside the years 1 to 9999; correct it") from None
