"""Files of agencies and of other systems, read as indicators: JSON lines and MISP events, with a publishing profile.

Nothing that a file holds is dropped: it is an indicator, or listed with file, place and reason.
"""

from sharing.interop.files import load_profile, read_bytes, read_entries, read_file, read_files
from sharing.interop.profile import NO_PROFILE, PublishingProfile, ToIds, parse_profile
from sharing.interop.reading import (
    FILE_BYTES_MAX,
    Cause,
    FileFormat,
    FileReading,
    IdRegister,
    ImportContext,
    PlacedIndicator,
    SourceInfo,
    Unpublished,
)

__all__ = [
    "FILE_BYTES_MAX",
    "NO_PROFILE",
    "Cause",
    "FileFormat",
    "FileReading",
    "IdRegister",
    "ImportContext",
    "PlacedIndicator",
    "PublishingProfile",
    "SourceInfo",
    "ToIds",
    "Unpublished",
    "load_profile",
    "parse_profile",
    "read_bytes",
    "read_entries",
    "read_file",
    "read_files",
]
