"""A gate with a state folder goes back to an older signed law only if exactly that is permitted."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from processors.gate.gate import Gate
from processors.services.pack_reloader import PackFiles, PackReloader
from sharing.errors import PackError, SettingsError
from sharing.packs.library import find_law_by_code
from sharing.packs.signature import sign_pack
from sharing.settings import Settings
from tests.packs.pack_fixtures import KEY, NOW_MS, public_pem
from tests.processors.pack_fixtures import replace_file
from tests.processors.services.reloader_fixtures import BEFORE, FakeFailure


class SignedFolder:
    """A folder with signed packs of a State, and the state folder of its gate."""

    def __init__(self, folder: Path) -> None:
        self.packs, self.state = folder / "packs", folder / "state"
        self.packs.mkdir(exist_ok=True)
        self.key = folder / "key.pem"
        self.key.write_bytes(public_pem(KEY))

    def install(self, version: str, day: str) -> str:
        """Install a signed pack of a version and a day; return its hash."""
        text = BEFORE.replace("version: 2026.1", f"version: {version}")
        text = text.replace("consolidated_at: 2026-01-01", f"consolidated_at: {day}")
        replace_file(self.packs / "xa.yaml", text)
        sha256 = find_law_by_code("XA", self.packs).pack.sha256
        replace_file(self.packs / "xa.yaml.sig", sign_pack(sha256, KEY))
        return sha256

    def start(self, **options: Any) -> PackReloader:
        """Start a gate as after a restart: it knows what is in the files."""
        settings = Settings(packs=self.packs, pack_key=self.key, state_folder=self.state, **options)
        files = PackFiles("XA", settings)
        return PackReloader(
            files, files.read_law(NOW_MS), lambda law: Gate(law.pack, law.treaties), FakeFailure(), lambda: NOW_MS
        )


@pytest.fixture
def signed(tmp_path: Path) -> SignedFolder:
    return SignedFolder(tmp_path)


@pytest.mark.parametrize(
    ("version", "day"),
    [("2026.9", "2025-12-31"), ("2027.1", "2025-12-31"), ("2026.2", "2026-01-01"), ("1", "2026-01-01")],
)
def test_an_older_signed_pack_is_refused_after_a_restart(signed: SignedFolder, version: str, day: str) -> None:
    signed.install("2026.10", "2026-01-01")
    signed.start()
    sha256 = signed.install(version, day)
    expected = (
        rf"xa\.yaml: is older than the law that this gate applied last: {version} of {day}, after 2026\.10 of "
        rf"2026-01-01\. Install the current pack; or, to go back deliberately, set SHARING_PACK_ROLLBACK={sha256}"
    )
    for _ in range(2):
        with pytest.raises(PackError, match=expected):
            signed.start()


@pytest.mark.parametrize(
    ("version", "day"), [("2026.11", "2026-01-01"), ("1", "2026-01-02"), ("2026.10", "2026-01-01")]
)
def test_a_newer_signed_pack_or_the_same_is_applied_after_a_restart(
    signed: SignedFolder, version: str, day: str
) -> None:
    signed.install("2026.10", "2026-01-01")
    signed.start()
    signed.install(version, day)
    assert signed.start().pack.version == version
    signed.install("2026.10", "2025-12-31")
    with pytest.raises(PackError, match="is older"):
        signed.start()


def test_an_older_signed_pack_stops_a_running_gate(signed: SignedFolder) -> None:
    async def run(reloader: PackReloader) -> None:
        signed.install("2026.2", "2026-01-02")
        for _ in range(2):
            await reloader.check_files()
        assert (reloader.pack.version, reloader.failed) == ("2026.2", False)
        signed.install("2026.1", "2026-01-01")
        for _ in range(2):
            await reloader.check_files()
        assert (reloader.pack.version, reloader.failed) == ("2026.2", True)

    signed.install("2026.1", "2026-01-01")
    asyncio.run(run(signed.start()))
    with pytest.raises(PackError, match="is older"):
        signed.start()


def test_an_older_signed_pack_is_applied_if_exactly_its_hash_is_permitted(signed: SignedFolder) -> None:
    signed.install("2026.2", "2026-01-02")
    signed.start()
    other = signed.install("2026.0", "2025-06-01")
    older = signed.install("2026.1", "2026-01-01")
    with pytest.raises(PackError, match="is older"):
        signed.start(pack_rollback=other)
    assert signed.start(pack_rollback=older).pack.version == "2026.1"
    signed.install("2026.0", "2025-06-01")
    with pytest.raises(PackError, match=r"after 2026\.1 of 2026-01-01"):
        signed.start(pack_rollback=older)


@pytest.mark.parametrize("text", ["", "{}", '{"code": "XA"'])
def test_a_damaged_history_is_refused(signed: SignedFolder, text: str) -> None:
    signed.install("2026.2", "2026-01-02")
    signed.start()
    (signed.state / "last-pack-xa.json").write_text(text)
    with pytest.raises(SettingsError, match="unknown which law this gate applied last"):
        signed.start()


def test_a_state_folder_that_cannot_be_written_is_refused(signed: SignedFolder) -> None:
    signed.install("2026.2", "2026-01-02")
    signed.state.write_text("a file")
    with pytest.raises(SettingsError, match=r"SHARING_STATE_FOLDER: .* (cannot be written|cannot be read)"):
        signed.start()
