"""Several versions of one indicator in a file: the newest counts, unless one of them was revoked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sharing.errors import InputError
from sharing.interop.import_results import ConflictingItemError, UnpublishedCause
from sharing.interop.source_fields import read_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sharing.interop.stix.bundle import StixObject

_UNORDERED = "there are several versions of it, and `modified` does not say which is the newest; keep one of them"


class VersionFault(NamedTuple):
    """Why a version is not published: the cause, and the reason in words."""

    cause: UnpublishedCause
    reason: str


REVOKED = VersionFault(UnpublishedCause.DELETED, "was revoked in STIX")


def is_revoked(data: Mapping[str, Any]) -> bool:
    """Return whether an object was revoked. Anything but false counts, also what should be a yes or no and is none."""
    return data.get("revoked") not in (None, False)


def find_version_faults(objects: Iterable[StixObject], file: str) -> dict[str, VersionFault]:
    """Return which indicators are revoked or older than another one of the file, by JSON pointer.

    Raises:
        ConflictingItemError: Two have the same id and time of modification, and different contents.
    """
    faults: dict[str, VersionFault] = {}
    versions: dict[str, list[StixObject]] = {}
    for item in objects:
        if item.type != "indicator":
            continue
        if is_revoked(item.data):
            faults[item.pointer] = REVOKED
        if item.key:
            versions.setdefault(item.key, []).append(item)
    for group in versions.values():
        if len(group) > 1 and any(item.data != group[0].data for item in group):
            faults |= _compare_versions(group, file)
    return faults


def _compare_versions(group: list[StixObject], file: str) -> dict[str, VersionFault]:
    """Return the faults of the versions of one indicator, of which at least two differ."""
    times = [_read_modified(item.data) for item in group]
    known = [time for time in times if time is not None]
    if len(known) < len(times):
        return {item.pointer: VersionFault(UnpublishedCause.INVALID, _UNORDERED) for item in group}
    newest = [item for item, time in zip(group, times, strict=True) if time == max(known)]
    for other in newest[1:]:
        if other.data != newest[0].data:
            raise ConflictingItemError(
                f"{file}: {other.pointer} has the id and `modified` of {newest[0].pointer}, and another content; keep "
                "the one that is meant",
                field="id",
                location=other.pointer,
            )
    faults = {
        item.pointer: VersionFault(UnpublishedCause.OUTDATED, f"{newest[0].pointer} is a newer version of it")
        for item in group
    }
    is_any_revoked = any(is_revoked(item.data) for item in group)
    for item in newest:
        if is_any_revoked:
            faults[item.pointer] = REVOKED
        else:
            del faults[item.pointer]
    return faults


def _read_modified(data: Mapping[str, Any]) -> datetime | None:
    try:
        text: Any = read_time(data, "modified")
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (InputError, ValueError, OverflowError):
        return None
