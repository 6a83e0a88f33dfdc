"""Checkpoints that a person has in files."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from sharing.audit.checkpoint import Checkpoint, read_checkpoint
from sharing.audit.signed_note import NOTE_BYTES_MAX
from sharing.cli.shared.given_files import read_given_file
from sharing.errors import InputError
from sharing.trust.faults import TrustError


def read_seen_checkpoints(
    files: Sequence[Path] | None, state: str, partitions: Collection[int] | None
) -> list[Checkpoint]:
    """Return checkpoints in files: what a witness has seen, or a person has kept.

    Args:
        files: The files.
        state: The State whose logs are verified.
        partitions: Which partitions of them; None for all.

    Raises:
        InputError: A file cannot be read, is not a checkpoint, or is one of a log that is not verified.
    """
    checkpoints = []
    for file in files or []:
        data = read_given_file(file, NOTE_BYTES_MAX + 1)
        try:
            checkpoint = read_checkpoint(data)
        except TrustError as error:
            raise InputError(f"{file}: {error}") from None
        place = checkpoint.place
        if place.state != state or (partitions is not None and place.partition not in partitions):
            raise InputError(f"{file} is a checkpoint of {checkpoint.origin}, a log that is not verified here")
        checkpoints.append(checkpoint)
    return checkpoints
