"""Which pack a gate applied last, so that a signed pack of an earlier law is not applied again.

A signature proves that the law office approved a law, not that it is the latest: an older pack with its signature is as
genuine. A gate therefore keeps the date and version of the pack that it applied last, in a file of its state folder.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from pathlib import Path

from pydantic import ValidationError

from sharing.errors import PackError, SettingsError
from sharing.law.pack import Pack
from sharing.model.strict_model import StrictModel


class AppliedPack(StrictModel):
    """The pack that a gate applied last.

    Attributes:
        code: Code of the pack: a State's or a template's.
        version: Its version.
        consolidated_at: The day up to which it states the law.
        sha256: Its hash.
    """

    code: str
    version: str
    consolidated_at: dt.date
    sha256: str

    @classmethod
    def from_pack(cls, pack: Pack) -> AppliedPack:
        """Return what is kept of a pack."""
        return cls(code=pack.code, version=pack.version, consolidated_at=pack.consolidated_at, sha256=pack.sha256)

    def is_older_than(self, other: AppliedPack) -> bool:
        """Return whether this pack is of an earlier day, or of the same day with a smaller version."""
        own, others = (
            (self.consolidated_at, _split_version(self.version)),
            (other.consolidated_at, _split_version(other.version)),
        )
        return own < others


class PackHistory:
    """Keeps the pack of each code that was applied last, in memory and in a folder.

    Args:
        folder: The state folder; without one, the history ends with the process.
        permitted_sha256: Hash of an older pack that may be applied nevertheless.
    """

    def __init__(self, folder: Path | None, permitted_sha256: str | None = None) -> None:
        self._folder = folder
        self._permitted_sha256 = permitted_sha256
        self._applied: dict[str, AppliedPack] = {}

    def check(self, pack: Pack, source: str) -> None:
        """Refuse a pack that is older than the one that was applied last.

        Args:
            pack: The pack.
            source: Name of its file, for the message.

        Raises:
            PackError: It is older, and its hash is not the permitted one.
            SettingsError: The file in the state folder is damaged or cannot be read.
        """
        last, offered = self._read(pack.code), AppliedPack.from_pack(pack)
        if last is None or not offered.is_older_than(last) or pack.sha256 == self._permitted_sha256:
            return
        raise PackError(
            f"is older than the law that this gate applied last: {pack.version} of {pack.consolidated_at}, after "
            f"{last.version} of {last.consolidated_at}. Install the current pack; or, to go back deliberately, set "
            f"SHARING_PACK_ROLLBACK={pack.sha256}",
            source=source,
        )

    def record(self, pack: Pack) -> None:
        """Keep a pack as the one that was applied last.

        Raises:
            SettingsError: The file cannot be written.
        """
        applied = AppliedPack.from_pack(pack)
        if self._read(pack.code) == applied:
            return
        self._applied[pack.code] = applied
        if self._folder is None:
            return
        path = self._get_path(pack.code)
        draft = path.with_suffix(".new")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with draft.open("w", encoding="utf-8") as file:
                file.write(applied.model_dump_json() + "\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError as error:
            raise SettingsError(
                f"SHARING_STATE_FOLDER: {path} cannot be written ({error.strerror}); give the gate a folder that it "
                "may write to and that survives a restart"
            ) from None

    def _read(self, code: str) -> AppliedPack | None:
        if code in self._applied or self._folder is None:
            return self._applied.get(code)
        path = self._get_path(code)
        try:
            self._applied[code] = AppliedPack.model_validate_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, ValidationError):
            raise SettingsError(
                f"SHARING_STATE_FOLDER: {path} is damaged or cannot be read, so it is unknown which law this gate "
                "applied last; restore it, or remove it after checking that the installed pack is the current one"
            ) from None
        return self._applied[code]

    def _get_path(self, code: str) -> Path:
        folder = self._folder or Path()
        return folder / f"last-pack-{code.lower()}.json"


def _split_version(version: str) -> tuple[tuple[bool, int, str], ...]:
    """Return a version's parts in the order of versions: numbers by value, so that 2026.10 follows 2026.9."""
    return tuple(
        (part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.findall(r"\d+|[A-Za-z]+", version)
    )
