"""Checkpoints that a person has in files."""

from __future__ import annotations

from pathlib import Path

from sharing.audit.checkpoint import Checkpoint, read_checkpoint
from sharing.audit.signed_note import NOTE_BYTES_MAX
from sharing.errors import InputError
from sharing.trust.faults import TrustError


def read_seen_checkpoints(files: list[Path] | None) -> list[Checkpoint]:
    """Return checkpoints in files: what a witness has seen, or a person has kept.

    Raises:
        InputError: A file cannot be read, or is no checkpoint.
    """
    checkpoints = []
    for file in files or []:
        try:
            with file.open("rb") as opened:
                data = opened.read(NOTE_BYTES_MAX + 1)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
            raise InputError(f"{file} cannot be read: {reason}") from None
        try:
            checkpoints.append(read_checkpoint(data))
        except TrustError as error:
            raise InputError(f"{file}: {error}") from None
    return checkpoints
