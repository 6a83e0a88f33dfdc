"""What is known beyond the notice when a draft is made: who drafts, to whom, and what authorities announce."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sharing.followups.names import describe_language, name_authority
from sharing.model.directory import CompetentAuthority, ContactPoint, DirectoryEntry
from sharing.model.vocabulary import Authority


@dataclass(frozen=True, slots=True)
class Drafter:
    """The officer who drafts, as recorded in the register.

    Attributes:
        name: Name of the officer.
        agency: The agency.
        authority: Kind of that authority.
    """

    name: str
    agency: str
    authority: Authority


@dataclass(frozen=True, slots=True)
class FollowUpContext:
    """What is known beyond the notice.

    Attributes:
        now: When the draft is made, in UTC milliseconds.
        drafter: Who drafts.
        own: What the drafter's State announces in the directory; None if that is not known.
        provider: What the State that sent the notice announces.
        addressee: The State that is asked; None if the drafter has not chosen one.
        requested: What that State announces.
        instruments: Names of the instruments in force between the drafter's State and the addressee, according to the
            table of treaties; None if that is not known.
        extends: Reference of an earlier preservation that is extended, or on which a request for assistance follows.
    """

    now: int
    drafter: Drafter
    own: DirectoryEntry | None = None
    provider: DirectoryEntry | None = None
    addressee: str | None = None
    requested: DirectoryEntry | None = None
    instruments: frozenset[str] | None = None
    extends: str | None = None


def list_authorities(entry: DirectoryEntry | None, kind: str | None = None) -> tuple[CompetentAuthority, ...]:
    """Return the authorities that a State announces: only those of a kind if it announces any of that kind."""
    if entry is None:
        return ()
    of_kind = tuple(each for each in entry.authorities if each.kind == kind)
    return of_kind or entry.authorities


def describe_authorities(authorities: tuple[CompetentAuthority, ...]) -> Iterator[str]:
    """Yield authorities with their contact points, one line each."""
    for authority in authorities:
        kind = "" if authority.kind is Authority.UNKNOWN else f" ({name_authority(authority.kind)})"
        points = "; ".join(_describe_point(point) for point in authority.contact_points)
        yield f"{authority.name}{kind}{': ' if points else ''}{points}"


def _describe_point(point: ContactPoint) -> str:
    parts = [point.name, point.hours, point.email, point.phone]
    if point.languages:
        parts.append(f"languages: {', '.join(map(describe_language, point.languages))}")
    return ", ".join(part for part in parts if part)
