"""How files are imported: who publishes them, their format, the publishing profile, and limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sharing.errors import InputError
from sharing.interop.publishing_profile import NO_PROFILE, PublishingProfile, merge_fields
from sharing.model.countries import normalise_country
from sharing.model.indicator import Source
from sharing.serialization.indicator_encoder import IndicatorEncoder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FILE_BYTES_MAX = 64 * 1024 * 1024
"""Larger files are refused unread, unless the caller raises the limit."""


class FileFormat(StrEnum):
    """File formats, as named by `--format`. AUTO detects the format from the content."""

    AUTO = "auto"
    JSONL = "jsonl"
    MISP = "misp"
    STIX = "stix"


@dataclass(frozen=True, slots=True)
class PublisherIdentity:
    """The publishing State (ISO 3166-1 alpha-2) and agency.

    Raises:
        InputError: The State is not a country code; or the agency is empty or too long, or a space is before or after
            it.
    """

    state: str
    agency: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", normalise_country(self.state))
        try:
            Source(state=self.state, agency=self.agency)
        except ValueError:
            raise InputError("the agency must be a text of 1 to 512 characters", field="source.agency") from None
        if self.agency != self.agency.strip():  # it would be another agency, with other ids
            raise InputError("the agency must have no space before or after it", field="source.agency")


@dataclass(frozen=True, slots=True)
class ImportContext:
    """Everything that an import needs apart from the files.

    Attributes:
        publisher: The State and agency that publish the indicators.
        make_id: Returns the id (a UUID) of an item from what identifies it in its file: `("misp", uuid, part)`,
            `("stix", id, part)`, `("value", type, value)`, `("line", text)`, or `("line", text, count)` for the second
            and later ones of equal lines. The same identity must have the same id, unless each line is to be an item
            of its own.
        profile: Facts that the files do not carry.
        format: Format of all files, or AUTO.
        bytes_max: Size limit of a file.
        own_agency: The agency whose topic is published to; "" if the agencies of the State share a topic, or if nothing
            is published.
        on_progress: Called with the file name and the completed fraction of it, from 0 to 1.
        encoder: Validates and encodes the indicators.
    """

    publisher: PublisherIdentity
    make_id: Callable[[Sequence[str]], str]
    profile: PublishingProfile = NO_PROFILE
    format: FileFormat = FileFormat.AUTO
    bytes_max: int = FILE_BYTES_MAX
    own_agency: str = ""
    on_progress: Callable[[str, float], None] | None = None
    encoder: IndicatorEncoder = field(default_factory=IndicatorEncoder)

    def report_progress(self, file: str, fraction: float) -> None:
        """Report which fraction of a file has been read."""
        if self.on_progress is not None:
            self.on_progress(file, min(fraction, 1.0))

    def get_initial_fields(self, type_name: str, tags: tuple[str, ...] = ()) -> dict[str, Any]:
        """Return the fields known before the file is consulted: the facts of the profile, and the source."""
        source = {"source": {"state": self.publisher.state, "agency": self.publisher.agency}}
        return merge_fields(self.profile.get_facts(type_name, tags), source)
