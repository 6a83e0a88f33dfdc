"""A gate takes up a new law between two batches, and ends where what lies on the shelf is not to be applied."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from processors.exactly_once.batch import OutputRecord
from processors.gate.gate import Gate
from processors.pack_reloader import PackFiles, PackReloader
from sharing.errors import InputError, PackError, SettingsError, SharingError
from sharing.model.indicator import Indicator
from sharing.packs.library import Law, common_rules, find_law, find_pack, shipped_treaties
from sharing.packs.signature import sign
from sharing.serialization.codec import codec_of
from sharing.settings import Settings
from sharing.telemetry import metrics
from tests.packs.test_library import DIRECTORY, ITEM, NOW_MS, TEMPLATE
from tests.packs.test_signature import KEY, public_pem

BEFORE = TEMPLATE.replace("state: EU", "state: XA")
AFTER = BEFORE.replace("version: 2026.1", "version: 2026.2").replace(
    "INFORMATION, recipient.eu", "[INFORMATION], recipient.eu"
)
UNSOUND = BEFORE.replace("effect: PERMIT", "effect: ALLOW")


def put(path: Path, text: str) -> None:
    """Write, then rename: as an operator should."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.replace(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the law of a test State."""
    packs = tmp_path / "packs"
    packs.mkdir()
    (packs / "xa.yaml").write_text(BEFORE)
    return packs


@pytest.fixture
def files(folder: Path) -> PackFiles:
    """Its files, after they were read."""
    found = PackFiles("XA", Settings(packs=folder))
    assert found.read(NOW_MS).pack.version == "2026.1"
    return found


def look(files: PackFiles, times: int = 1) -> Law | None:
    """Look some times in a row; return what the last look gives."""
    found = [files.take(NOW_MS) for _ in range(times)]
    assert not any(found[:-1])
    return found[-1]


# --- The files ---


def test_nothing_changed(files: PackFiles) -> None:
    assert look(files, 5) is None


def test_a_change_is_taken_at_the_second_look(files: PackFiles, folder: Path) -> None:
    put(folder / "xa.yaml", AFTER)
    assert look(files) is None
    law = look(files)
    assert law is not None
    assert (law.pack.version, law.pack.sha256) == ("2026.2", find_law("XA", folder).pack.sha256)
    assert look(files, 3) is None


def test_a_file_that_is_being_written_is_left_alone(files: PackFiles, folder: Path) -> None:
    """Each part alone would be unsound, or, worse, sound: a pack without its last rules."""
    path = folder / "xa.yaml"
    for end in (10, 200, len(AFTER) - 100):
        path.write_text(AFTER[:end])
        assert look(files) is None
    path.write_text(AFTER)
    assert look(files) is None
    law = look(files)
    assert law is not None
    assert len(law.pack.rules) == len(find_law("XA", folder).pack.rules)


def test_a_file_that_is_written_while_it_is_read_is_not_judged(
    files: PackFiles, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "xa.yaml"
    put(path, UNSOUND)
    assert look(files) is None
    whole = files.read

    def read(now_ms: int) -> Law:
        try:
            return whole(now_ms)
        finally:
            put(path, AFTER)  # the rest arrives just now

    monkeypatch.setattr(files, "read", read)
    assert look(files) is None
    monkeypatch.setattr(files, "read", whole)
    law = look(files, 2)
    assert law is not None
    assert law.pack.version == "2026.2"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda packs: put(packs / "xa.yaml", UNSOUND), PackError, r"xa\.yaml:\d+: .*effect"),
        (lambda packs: put(packs / "xa.yaml", ""), PackError, "is empty"),
        (lambda packs: put(packs / "xa.yaml", BEFORE.replace("XA", "XB", 1)), PackError, "is the law of XB"),
        (lambda packs: put(packs / "xa.yaml", TEMPLATE), PackError, "is the law of EU"),
        (lambda packs: (packs / "xa.yaml").unlink(), InputError, "there is no law pack for XA"),
        (
            lambda packs: put(
                packs / "xa.yaml", BEFORE.replace("consolidated_at: 2026-01-01", "consolidated_at: 2026-03-02")
            ),
            SettingsError,
            "the clock says 2026-03-01, and pack XA 2026.1 was consolidated on 2026-03-02",
        ),
        (lambda packs: put(packs / "treaties.yaml", "title: t\n"), PackError, r"treaties\.yaml"),
        (
            lambda packs: put(packs / "common.yaml", common_rules().text + "\n#\n"),
            PackError,
            r"common\.yaml: differs from the common rules",
        ),
    ],
    ids=["unsound", "empty", "another State's", "a template", "gone", "not yet", "treaties", "common"],
)
def test_what_is_not_to_be_applied_is_an_error(
    files: PackFiles, folder: Path, change: Callable[[Path], None], error: type[SharingError], message: str
) -> None:
    change(folder)
    assert look(files) is None
    for _ in range(2):  # and stays one
        with pytest.raises(error, match=message) as caught:
            look(files)
        assert caught.value.exit_code == 2


def test_a_treaty_table_is_part_of_the_law(files: PackFiles, folder: Path) -> None:
    put(folder / "treaties.yaml", shipped_treaties().text.replace("CH: 2012-01-01", "CH: 2012-01-01, XA: 2020-01-01"))
    law = look(files, 2)
    assert law is not None
    assert law.treaties.covers("XA")


def test_the_shipped_law_is_not_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    files = PackFiles("CH", Settings())
    monkeypatch.setattr(files, "read", lambda _: pytest.fail("it was read"))
    assert look(files, 3) is None


def test_a_template_that_is_adopted_is_watched(tmp_path: Path) -> None:
    (tmp_path / "eu.yaml").write_text(TEMPLATE)
    files = PackFiles("AT", Settings(packs=tmp_path, pack="EU"))
    put(tmp_path / "eu.yaml", TEMPLATE.replace("2026.1", "2026.2"))
    law = look(files, 2)
    assert law is not None
    assert (law.pack.state, law.pack.reference.state, law.pack.version) == ("AT", "EU", "2026.2")


def test_a_new_law_is_signed_where_a_key_asks_for_it(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(public_pem(KEY))
    signature = folder / "xa.yaml.sig"
    signature.write_text(sign(find_pack("XA", folder).pack.sha256, KEY))
    files = PackFiles("XA", Settings(packs=folder, pack_key=tmp_path / "key.pem"))
    files.read(NOW_MS)
    put(folder / "xa.yaml", AFTER)
    assert look(files) is None
    with pytest.raises(PackError, match="altered since it was signed"):
        look(files)
    put(signature, sign(find_pack("XA", folder).pack.sha256, KEY))
    law = look(files, 2)
    assert law is not None
    signature.unlink()
    assert look(files) is None
    with pytest.raises(PackError, match="is not signed"):
        look(files)


# --- The watch, without a broker ---


class Ended:
    """Takes the place of what ends the process."""

    def __init__(self) -> None:
        self.reasons: list[SharingError] = []

    async def __call__(self, reason: SharingError) -> None:
        self.reasons.append(reason)


def watching(folder: Path, act: Callable[[PackReloader, Ended], Coroutine[Any, Any, None]]) -> None:
    """Run something with a watch on a folder; its timer does not run."""

    async def run() -> None:
        files, ended = PackFiles("XA", Settings(packs=folder)), Ended()
        watch = PackReloader(files, files.read(NOW_MS), lambda law: Gate(law.pack, law.treaties), ended, lambda: NOW_MS)
        await asyncio.wait_for(act(watch, ended), 30)

    asyncio.run(run())


def test_a_batch_is_decided_under_one_law(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    before = find_law("XA", folder).pack.sha256

    async def act(watch: PackReloader, ended: Ended) -> None:
        changes = metrics.REGISTRY.get_sample_value("sharing_pack_changes_total") or 0
        async with watch.batch() as gate:
            put(folder / "xa.yaml", AFTER)
            looks = asyncio.gather(watch.look(), watch.look())
            await asyncio.sleep(0)
            assert not looks.done()  # they wait for the border
            assert gate.pack.sha256 == before
        await looks
        async with watch.batch() as gate:
            after = gate.pack.sha256
        assert after == find_law("XA", folder).pack.sha256 != before
        assert metrics.REGISTRY.get_sample_value("sharing_pack_changes_total") == changes + 1
        labels = {"state": "XA", "version": "2026.2", "sha256": after}
        assert metrics.REGISTRY.get_sample_value("sharing_pack_info", labels) == 1
        assert metrics.REGISTRY.get_sample_value("sharing_pack_consolidated_timestamp_seconds") == 1767225600
        assert (
            f"law of XA changes between two batches: after XA 2026.1 of 2026-01-01, sha256 {before} comes XA 2026.2 of "
            f"2026-01-01, sha256 {after}"
        ) in caplog.messages
        assert ended.reasons == []

    watching(folder, act)


def test_no_batch_is_decided_under_the_law_of_before(folder: Path) -> None:
    async def act(watch: PackReloader, ended: Ended) -> None:
        put(folder / "xa.yaml", UNSOUND)
        await watch.look()
        assert ended.reasons == []
        await watch.look()
        await watch.look()
        (reason,) = ended.reasons
        assert isinstance(reason, PackError)
        put(folder / "xa.yaml", AFTER)  # too late: the process is ending
        await watch.look()
        with pytest.raises(PackError):
            async with watch.batch():
                pytest.fail("a batch was begun")

    watching(folder, act)


def test_a_file_that_is_only_touched_changes_nothing(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def act(watch: PackReloader, ended: Ended) -> None:
        async with watch.batch() as before:
            put(folder / "xa.yaml", BEFORE)
        for _ in range(3):
            await watch.look()
        async with watch.batch() as after:
            assert after is before
        assert ended.reasons == []
        assert not [message for message in caplog.messages if "changes" in message]

    watching(folder, act)


def test_going_back_is_said_loudly(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def act(watch: PackReloader, ended: Ended) -> None:
        put(folder / "xa.yaml", BEFORE.replace("consolidated_at: 2026-01-01", "consolidated_at: 2025-12-31"))
        await watch.look()
        await watch.look()
        assert ended.reasons == []

    watching(folder, act)
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert record.message.endswith(", which is OLDER")


# --- The gate under a template ---


class Message:
    """A record of the topic of indicators."""

    def __init__(self, item: dict[str, Any], offset: int) -> None:
        self._indicator = Indicator.read(item)
        self._offset = offset

    def value(self) -> bytes:
        return codec_of("indicator").encode(self._indicator.to_wire())

    def key(self) -> bytes:
        return self._indicator.id.encode()

    def topic(self) -> str:
        return "national.at.indicators"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return (1, NOW_MS)


def item(number: int, state: str) -> dict[str, Any]:
    """An indicator of a State."""
    return {
        **ITEM,
        "id": f"00000000-0000-4000-8000-{number:012d}",
        "source": {**ITEM["source"], "state": state},
        "nexus": [{"state": "DE", "reason": "r"}],
    }


@pytest.mark.parametrize("count", [1, 60], ids=["record by record", "by columns"])
def test_the_gate_under_a_template_is_the_adopting_states(tmp_path: Path, count: int) -> None:
    (tmp_path / "eu.yaml").write_text(TEMPLATE)
    law = find_law("AT", tmp_path, "EU")
    messages = [Message(item(number, "AT"), number) for number in range(count)]
    messages.append(Message(item(count, "DE"), count))  # another State's
    processed = Gate(law.pack, law.treaties).process(messages, DIRECTORY, NOW_MS)
    assert processed.quarantined.total() == 1
    by_topic: dict[str, list[OutputRecord]] = {}
    for output in processed.outputs:
        by_topic.setdefault(output.topic, []).append(output)
    own = {f"national.at.{name}" for name in ("decisions", "drafts", "quarantine")}
    assert set(by_topic) == own | {"exchange.de.notices"}
    for output in by_topic["exchange.de.notices"]:
        notice: dict[str, Any] = codec_of("notice").decode(output.value or b"")
        assert (notice["from_state"], notice["pack"]["state"]) == ("AT", "EU")
    for output in by_topic["national.at.decisions"]:
        decision: dict[str, Any] = codec_of("decision").decode(output.value or b"")
        assert (decision["state"], decision["pack"]["state"]) == ("AT", "EU")
    quarantine: dict[str, Any] = codec_of("quarantine").decode(by_topic["national.at.quarantine"][0].value or b"")
    assert (quarantine["state"], quarantine["pack"]["state"]) == ("AT", "EU")
