"""Imports indicators from files (JSON lines, MISP events, STIX bundles), with a profile for facts the files lack.

Nothing in a file is dropped: each value becomes an indicator, or is listed with file, position and reason.
"""

from sharing.interop.files import iterate_entries, load_profile, read_bytes, read_file, read_files
from sharing.interop.import_context import FILE_BYTES_MAX, FileFormat, ImportContext, PublisherIdentity
from sharing.interop.import_results import (
    ConflictingItemError,
    DuplicateFilter,
    ImportResult,
    InputLocation,
    LocatedIndicator,
    UnpublishedCause,
    UnpublishedEntry,
)
from sharing.interop.publishing_profile import NO_PROFILE, PublishingProfile, ToIds, parse_profile

__all__ = [
    "FILE_BYTES_MAX",
    "NO_PROFILE",
    "ConflictingItemError",
    "DuplicateFilter",
    "FileFormat",
    "ImportContext",
    "ImportResult",
    "InputLocation",
    "LocatedIndicator",
    "PublisherIdentity",
    "PublishingProfile",
    "ToIds",
    "UnpublishedCause",
    "UnpublishedEntry",
    "iterate_entries",
    "load_profile",
    "parse_profile",
    "read_bytes",
    "read_file",
    "read_files",
]
