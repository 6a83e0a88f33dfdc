"""A gate applies a new law between two batches, and stops if the new law cannot be applied."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from processors.exactly_once.batch import OutputRecord
from processors.gate.gate import Gate
from processors.services.pack_reloader import PackFiles, PackReloader, check_pack_dates
from sharing.errors import InputError, PackError, SettingsError, SharingError
from sharing.model.indicator import Indicator
from sharing.packs.library import Law, find_law, find_law_by_code, load_common_rules, load_shipped_treaties
from sharing.packs.signature import sign_pack
from sharing.serialization.codec import get_codec
from sharing.settings import Settings
from sharing.telemetry.metrics import REGISTRY
from tests.packs.pack_fixtures import DIRECTORY, KEY, NOW_MS, TEMPLATE, public_pem
from tests.processors.pack_fixtures import make_form, replace_file
from tests.processors.services.reloader_fixtures import BEFORE, FakeFailure

AFTER = BEFORE.replace("version: 2026.1", "version: 2026.2").replace(
    "INFORMATION, recipient.eu", "[INFORMATION], recipient.eu"
)
UNSOUND = BEFORE.replace("effect: PERMIT", "effect: ALLOW")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the law of a test State."""
    packs = tmp_path / "packs"
    packs.mkdir()
    (packs / "xa.yaml").write_text(BEFORE)
    return packs


@pytest.fixture
def files(folder: Path) -> PackFiles:
    """The files of that law, after they were read."""
    files = PackFiles("XA", Settings(packs=folder))
    assert files.read_law(NOW_MS).pack.version == "2026.1"
    return files


def check(files: PackFiles, times: int = 1) -> Law | None:
    """Check the files several times in a row. Return the result of the last check; the others must find nothing."""
    laws = [files.read_changed_law(NOW_MS) for _ in range(times)]
    assert not any(laws[:-1])
    return laws[-1]


def test_unchanged_files_are_not_read(files: PackFiles) -> None:
    assert check(files, 5) is None


def test_a_change_is_taken_at_the_second_check(files: PackFiles, folder: Path) -> None:
    replace_file(folder / "xa.yaml", AFTER)
    assert check(files) is None
    law = check(files)
    assert law is not None
    assert (law.pack.version, law.pack.sha256) == ("2026.2", find_law("XA", folder).pack.sha256)
    assert check(files, 3) is None


def test_a_file_that_is_still_being_written_is_not_read(files: PackFiles, folder: Path) -> None:
    """A part of a pack would be invalid or, worse, valid without its last rules."""
    path = folder / "xa.yaml"
    for end in (10, 200, len(AFTER) - 100):
        path.write_text(AFTER[:end])
        assert check(files) is None
    path.write_text(AFTER)
    assert check(files) is None
    law = check(files)
    assert law is not None
    assert len(law.pack.rules) == len(find_law("XA", folder).pack.rules)


def test_a_file_that_changes_while_it_is_read_is_not_judged(
    files: PackFiles, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "xa.yaml"
    replace_file(path, UNSOUND)
    assert check(files) is None
    read_law = files.read_law

    def read_during_change(now_ms: int) -> Law:
        try:
            return read_law(now_ms)
        finally:
            replace_file(path, AFTER)

    monkeypatch.setattr(files, "read_law", read_during_change)
    assert check(files) is None
    monkeypatch.setattr(files, "read_law", read_law)
    law = check(files, 2)
    assert law is not None
    assert law.pack.version == "2026.2"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda packs: replace_file(packs / "xa.yaml", UNSOUND), PackError, r"xa\.yaml:\d+: .*effect"),
        (lambda packs: replace_file(packs / "xa.yaml", ""), PackError, "is empty"),
        (lambda packs: replace_file(packs / "xa.yaml", BEFORE.replace("XA", "XB", 1)), PackError, "is the law of XB"),
        (lambda packs: replace_file(packs / "xa.yaml", TEMPLATE), PackError, "is the law of EU"),
        (lambda packs: (packs / "xa.yaml").unlink(), InputError, "there is no law pack for XA"),
        (
            lambda packs: replace_file(
                packs / "xa.yaml", BEFORE.replace("consolidated_at: 2026-01-01", "consolidated_at: 2026-03-02")
            ),
            SettingsError,
            (
                r"pack XA 2026\.1 was consolidated on 2026-03-02, which is in the future "
                r"\(the clock says 2026-03-01\): correct the clock or use an earlier pack"
            ),
        ),
        (lambda packs: replace_file(packs / "treaties.yaml", "title: t\n"), PackError, r"treaties\.yaml"),
        (
            lambda packs: replace_file(packs / "common.yaml", load_common_rules().text + "\n#\n"),
            PackError,
            r"common\.yaml: differs from the shipped common rules",
        ),
    ],
    ids=["invalid", "empty", "another State", "template", "missing", "not yet in force", "treaties", "common rules"],
)
def test_a_law_that_cannot_be_applied_is_an_error(
    files: PackFiles, folder: Path, change: Callable[[Path], None], error: type[SharingError], message: str
) -> None:
    change(folder)
    assert check(files) is None
    for _ in range(2):  # and it stays an error
        with pytest.raises(error, match=message) as caught:
            check(files)
        assert caught.value.exit_code == 2


def test_a_law_without_a_rule_in_force_is_an_error(files: PackFiles) -> None:
    pack = replace(files.read_law(NOW_MS).pack, rules=())
    with pytest.raises(
        SettingsError, match=r"no rule of pack XA 2026\.1 is in force on 2026-03-01: install a current pack"
    ):
        check_pack_dates(pack, NOW_MS)


def test_a_treaty_table_is_part_of_the_law(files: PackFiles, folder: Path) -> None:
    replace_file(
        folder / "treaties.yaml",
        load_shipped_treaties().text.replace("CH: 2012-01-01", "CH: 2012-01-01, XA: 2020-01-01"),
    )
    law = check(files, 2)
    assert law is not None
    assert law.treaties.covers("XA")


def test_the_shipped_law_is_not_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    files = PackFiles("CH", Settings())
    monkeypatch.setattr(files, "read_law", lambda _: pytest.fail("it was read"))
    assert check(files, 3) is None


def test_an_adopted_template_is_watched(tmp_path: Path) -> None:
    (tmp_path / "eu.yaml").write_text(TEMPLATE)
    files = PackFiles("AT", Settings(packs=tmp_path, pack="EU"))
    replace_file(tmp_path / "eu.yaml", TEMPLATE.replace("2026.1", "2026.2"))
    law = check(files, 2)
    assert law is not None
    assert (law.pack.state, law.pack.reference.state, law.pack.version) == ("AT", "EU", "2026.2")


def test_a_new_law_must_be_signed_if_a_key_is_configured(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(public_pem(KEY))
    signature = folder / "xa.yaml.sig"
    signature.write_text(sign_pack(find_law_by_code("XA", folder).pack.sha256, KEY))
    files = PackFiles("XA", Settings(packs=folder, pack_key=tmp_path / "key.pem"))
    files.read_law(NOW_MS)
    replace_file(folder / "xa.yaml", AFTER)
    assert check(files) is None
    with pytest.raises(PackError, match="changed after signing"):
        check(files)
    replace_file(signature, sign_pack(find_law_by_code("XA", folder).pack.sha256, KEY))
    law = check(files, 2)
    assert law is not None
    signature.unlink()
    assert check(files) is None
    with pytest.raises(PackError, match="is not signed"):
        check(files)


def run_with_reloader(folder: Path, act: Callable[[PackReloader, FakeFailure], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine with a reloader of a folder. The timer of the reloader does not run."""

    async def run() -> None:
        files, failure = PackFiles("XA", Settings(packs=folder)), FakeFailure()
        reloader = PackReloader(
            files, files.read_law(NOW_MS), lambda law: Gate(law.pack, law.treaties), failure, lambda: NOW_MS
        )
        await asyncio.wait_for(act(reloader, failure), 120)

    asyncio.run(run())


def test_a_batch_is_decided_under_one_law(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    before = find_law("XA", folder).pack.sha256

    async def act(reloader: PackReloader, failure: FakeFailure) -> None:
        changes = REGISTRY.get_sample_value("sharing_pack_changes_total") or 0
        async with reloader.use_gate() as gate:
            replace_file(folder / "xa.yaml", AFTER)
            checks = asyncio.gather(reloader.check_files(), reloader.check_files())
            await asyncio.sleep(0)
            assert not checks.done()  # they wait until the batch is done
            assert gate.pack.sha256 == before
        await checks
        async with reloader.use_gate() as gate:
            after = gate.pack.sha256
        assert after == find_law("XA", folder).pack.sha256 != before
        assert REGISTRY.get_sample_value("sharing_pack_changes_total") == changes + 1
        labels = {"state": "XA", "version": "2026.2", "sha256": after}
        assert REGISTRY.get_sample_value("sharing_pack_info", labels) == 1
        assert REGISTRY.get_sample_value("sharing_pack_consolidated_timestamp_seconds") == 1767225600
        assert (
            f"law of XA changed between two batches: from XA 2026.1 of 2026-01-01, sha256 {before} to XA 2026.2 of "
            f"2026-01-01, sha256 {after}"
        ) in caplog.messages
        assert failure.reasons == []

    run_with_reloader(folder, act)


def test_no_batch_is_decided_under_the_previous_law(folder: Path) -> None:
    async def act(reloader: PackReloader, failure: FakeFailure) -> None:
        replace_file(folder / "xa.yaml", UNSOUND)
        await reloader.check_files()
        assert failure.reasons == []
        await reloader.check_files()
        await reloader.check_files()
        (reason,) = failure.reasons
        assert isinstance(reason, PackError)
        replace_file(folder / "xa.yaml", AFTER)  # too late: the process is ending
        await reloader.check_files()
        with pytest.raises(PackError):
            async with reloader.use_gate():
                pytest.fail("a batch was begun")

    run_with_reloader(folder, act)


def test_a_law_whose_gate_cannot_be_made_stops_the_worker_too(folder: Path) -> None:
    """Whatever fails: the previous law is not applied any more, and the text of a foreign exception is not shown."""

    def fail() -> NoReturn:
        raise ValueError("SECRET-7f3a")

    async def act(reloader: PackReloader, failure: FakeFailure) -> None:
        reloader._make_gate = lambda _: fail()
        replace_file(folder / "xa.yaml", AFTER)
        await reloader.check_files()
        await reloader.check_files()
        (reason,) = failure.reasons
        assert str(reason).startswith("the new law cannot be applied: ValueError at ")
        assert "SECRET" not in str(reason)
        assert reason.exit_code == 2
        assert reloader.failed
        with pytest.raises(PackError):
            async with reloader.use_gate():
                pytest.fail("a batch was begun")

    run_with_reloader(folder, act)


def test_a_touched_file_changes_nothing(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def act(reloader: PackReloader, failure: FakeFailure) -> None:
        async with reloader.use_gate() as before:
            replace_file(folder / "xa.yaml", BEFORE)
        for _ in range(3):
            await reloader.check_files()
        async with reloader.use_gate() as after:
            assert after is before
        assert failure.reasons == []
        assert not [message for message in caplog.messages if "changed" in message]

    run_with_reloader(folder, act)


def test_an_older_law_is_logged_as_a_warning(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def act(reloader: PackReloader, failure: FakeFailure) -> None:
        replace_file(folder / "xa.yaml", BEFORE.replace("consolidated_at: 2026-01-01", "consolidated_at: 2025-12-31"))
        await reloader.check_files()
        await reloader.check_files()
        assert failure.reasons == []

    run_with_reloader(folder, act)
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert record.message.endswith(", which is OLDER")


class Message:
    """A consumed record of an indicator topic."""

    def __init__(self, form: dict[str, Any], offset: int) -> None:
        self._indicator = Indicator.parse(form)
        self._offset = offset

    def value(self) -> bytes:
        return get_codec("indicator").encode(self._indicator.to_record())

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


@pytest.mark.parametrize("count", [1, 160], ids=["record by record", "columnar"])
def test_a_gate_under_a_template_writes_for_the_adopting_state(tmp_path: Path, count: int) -> None:
    (tmp_path / "eu.yaml").write_text(TEMPLATE)
    law = find_law("AT", tmp_path, "EU")
    messages = [Message(make_form(number, "AT"), number) for number in range(count)]
    messages.append(Message(make_form(count, "DE"), count))  # of another State
    result = Gate(law.pack, law.treaties).process_batch(messages, DIRECTORY, NOW_MS)
    assert result.quarantined.total() == 1
    by_topic: dict[str, list[OutputRecord]] = {}
    for output in result.output_records:
        by_topic.setdefault(output.topic, []).append(output)
    national_topics = {f"national.at.{name}" for name in ("decisions", "drafts", "quarantine")}
    assert set(by_topic) == national_topics | {"exchange.de.notices"}
    for output in by_topic["exchange.de.notices"]:
        notice: dict[str, Any] = get_codec("notice").decode(output.value or b"")
        assert (notice["from_state"], notice["pack"]["state"]) == ("AT", "EU")
    for output in by_topic["national.at.decisions"]:
        decision: dict[str, Any] = get_codec("decision").decode(output.value or b"")
        assert (decision["state"], decision["pack"]["state"]) == ("AT", "EU")
    quarantine: dict[str, Any] = get_codec("quarantine").decode(by_topic["national.at.quarantine"][0].value or b"")
    assert (quarantine["state"], quarantine["pack"]["state"]) == ("AT", "EU")
