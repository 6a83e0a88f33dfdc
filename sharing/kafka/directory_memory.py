"""Stores what was accepted from the directory in the state folder, so that nothing older is accepted after a restart.

One file for each State. Several programs may share the folder: each writes the newer of what it knows and what is
already there.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from sharing.directory.chain_memory import MEMORY_BYTES_MAX, ChainMemory, parse_memory
from sharing.directory.lasting_chain import LastingChain
from sharing.errors import InputError, SettingsError, SharingError
from sharing.keystore.files import PRIVATE_MODE, lock_folder, make_private_folder, read_file, replace_file
from sharing.trust.faults import TrustError

log = logging.getLogger(__name__)

FOLDER_NAME: Final = "directory"


class DirectoryMemory:
    """Remembers what was accepted from each State.

    Args:
        folder: The state folder. It is created if it does not exist.

    Raises:
        SettingsError: The folder cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER_NAME
        self._revisions: dict[str, int] = {}
        try:
            make_private_folder(self._folder)
        except SharingError as error:
            raise _make_error(str(error)) from None

    def restore(self, chain: LastingChain, now: int) -> None:
        """Restore what was remembered of a State. If a person has pinned another root since, it is forgotten.

        Args:
            chain: The chain of the State, which has received nothing yet.
            now: The time in UTC milliseconds.

        Raises:
            SettingsError: The file is damaged, or cannot be read: it is not known what was accepted before.
        """
        path = self._get_path(chain.state)
        try:
            memory = self._read(path, chain.state)
            if memory is not None:
                if not chain.admits(memory):
                    log.warning("%s: its root is not the one that is pinned now, so it is forgotten", path)
                    return
                chain.restore(memory, now)
        except TrustError as error:
            raise _make_damaged(path, f"does not verify ({error})") from None
        self._revisions[chain.state] = chain.revision

    def save(self, chain: LastingChain) -> None:
        """Remember what was accepted from a State, if it has changed.

        Raises:
            SettingsError: The file cannot be written, or the present one cannot be read.
        """
        if self._revisions.get(chain.state, 0) == chain.revision:
            return
        path = self._get_path(chain.state)
        memory = chain.export()
        try:
            with lock_folder(self._folder):
                present = self._read(path, chain.state)
                if present is not None and chain.admits(present):
                    memory = memory.join(present)
                replace_file(path, memory.to_bytes() + b"\n", PRIVATE_MODE)
        except TrustError as error:
            raise _make_damaged(path, str(error)) from None
        except SettingsError:
            raise
        except SharingError as error:
            raise _make_error(str(error)) from None
        self._revisions[chain.state] = chain.revision

    def _read(self, path: Path, state: str) -> ChainMemory | None:
        if not path.exists():
            return None
        try:
            return parse_memory(read_file(path, bytes_max=MEMORY_BYTES_MAX), state)
        except InputError as error:
            raise _make_damaged(path, str(error).removeprefix(f"{path} ")) from None

    def _get_path(self, state: str) -> Path:
        return self._folder / f"{state.lower()}.json"


def _make_damaged(path: Path, reason: str) -> SettingsError:
    return SettingsError(
        f"SHARING_STATE_FOLDER: {path} {reason}, so it is not known what was accepted before; put it back from a copy, "
        "or delete it after comparing `sharing directory show` with another State's"
    )


def _make_error(reason: str) -> SettingsError:
    return SettingsError(
        f"SHARING_STATE_FOLDER: {reason}; give a folder that this program may write to and that survives a restart"
    )
