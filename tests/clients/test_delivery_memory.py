"""`remember`: what a file keeps of what was delivered, whatever interrupts the writing of it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from sharing.clients import delivery_memory
from sharing.clients.delivery_memory import DeliveryMemory, Handled
from sharing.errors import InfrastructureError, InputError
from sharing.model.delivery_history import DeliveryHistory, Repetition
from sharing.serialization.notice_decoder import NoticeDecoder, ReadNotice
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import NOTICES
from tests.kafka.topic_io import SECONDS, make_topics, notice_bytes, write_records
from tests.support.waiting import wait_until

ENTRIES_MAX = 10


def open_memory(path: Path, group: str = "group") -> DeliveryMemory:
    return DeliveryMemory(path, "DE", group, ENTRIES_MAX)


def make_handled(number: int, version: int = 1) -> Handled:
    return Handled(f"id \n{number}\u202e", bytes([number]) * 16, "CH", f"item {number}", version, 0)


def list_remembered(path: Path, group: str = "group") -> list[Handled]:
    memory = open_memory(path, group)
    handled = list(memory._handled)
    memory.close()
    return handled


def test_what_was_added_is_there_again(tmp_path: Path) -> None:
    path, entries = tmp_path / "file", [make_handled(number) for number in range(4)]
    memory = open_memory(path)
    memory.add(entries[:1])
    memory.add(entries[1:])
    memory.close()
    memory.close()  # has no effect
    assert list_remembered(path) == entries
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_history_learns_what_was_handled_and_the_last_versions(tmp_path: Path) -> None:
    def read(version: int, value: str = "a.example") -> ReadNotice:
        return NoticeDecoder("DE").read(notice_bytes("DE", value, f"id {version}", item_id="item", version=version))

    handled, older, changed = read(2), read(1), read(2, "b.example")
    memory = open_memory(tmp_path / "file")
    memory.add([Handled(handled.notice.id, handled.digest, "CH", "item", 2, 0)])
    memory.close()
    history = DeliveryHistory(5)
    open_memory(tmp_path / "file").restore(history)
    assert [history.compare(*each) for each in (handled, older, changed)] == [
        Repetition.SAME, Repetition.OLDER, Repetition.DIFFERENT
    ]  # fmt: skip


def test_whatever_of_the_last_entry_is_missing_the_others_are_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Killed at any byte. The next entry follows the last complete one."""
    path, entries = tmp_path / "file", [make_handled(number) for number in range(3)]
    memory = open_memory(path)
    memory.add(entries[:2])
    complete = path.stat().st_size
    memory.add(entries[2:])
    memory.close()
    data = path.read_bytes()
    for size in range(complete + 1, len(data)):
        path.write_bytes(data[:size])
        memory = open_memory(path)
        assert list(memory._handled) == entries[:2]
        memory.add(entries[2:])
        memory.close()
        assert path.read_bytes() == data
    assert "were not written completely, and are cut off" in caplog.text


@pytest.mark.parametrize("size", [0, 1, 30, 80])
def test_a_process_that_is_killed_while_it_makes_the_file_leaves_a_usable_one(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    open_memory(path).close()
    path.write_bytes(path.read_bytes()[:size])
    assert list_remembered(path) == []
    assert b'"group": "group"' in path.read_bytes()


def test_an_altered_entry_ends_what_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    memory = open_memory(path)
    memory.add([make_handled(number) for number in range(3)])
    memory.close()
    path.write_bytes(path.read_bytes().replace(b"item 1", b"item 9"))
    assert list_remembered(path) == [make_handled(0)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"my thesis\n", "is not a file in which a subscriber remembers notices"),
        (b"x" * 9_000, "is not a file in which a subscriber remembers notices"),
        (b'{"format": "other"}\n', "is not a file in which a subscriber remembers notices"),
        (b"[1]\n", "is not a file in which a subscriber remembers notices"),
    ],
)
def test_another_file_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    for _ in range(2):  # it is not locked either
        with pytest.raises(InputError, match=message):
            open_memory(path)
    assert path.read_bytes() == content


def test_the_file_belongs_to_one_state_one_group_and_one_process(tmp_path: Path) -> None:
    path = tmp_path / "file"
    memory = open_memory(path)
    with pytest.raises(InputError, match="is in use: another subscriber remembers in it"):
        open_memory(path)
    memory.close()
    with pytest.raises(InputError, match="of the group group, not of other; name another file"):
        open_memory(path, "other")
    with pytest.raises(InputError, match="of the state DE, not of NL; name another file"):
        DeliveryMemory(path, "NL", "group", ENTRIES_MAX)
    with pytest.raises(InputError, match=r"cannot be used to remember notices \(No such file or directory\)"):
        open_memory(tmp_path / "missing" / "file")


def test_the_file_does_not_grow_without_end(tmp_path: Path) -> None:
    path, entries = tmp_path / "file", [make_handled(number) for number in range(95)]
    memory = open_memory(path)
    sizes = []
    for entry in entries:
        memory.add([entry])
        sizes.append(path.stat().st_size)
    memory.close()
    assert max(sizes) < 2.2 * path.stat().st_size
    assert list_remembered(path) == entries[-ENTRIES_MAX:]
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_file_that_cannot_be_shortened_is_used_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "file"
    (tmp_path / "file.new").mkdir()
    memory = open_memory(path)
    memory.add([make_handled(number) for number in range(2 * ENTRIES_MAX)])
    memory.add([make_handled(99)])
    memory.close()
    assert "cannot be shortened" in caplog.text
    assert list_remembered(path)[-1] == make_handled(99)


def test_what_cannot_be_written_is_an_error_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    memory = open_memory(path)
    memory.add([make_handled(0)])
    write = os.write

    def write_half(file: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", fail)
        return write(file, data[: len(data) // 2])

    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", write_half)
    with pytest.raises(InfrastructureError, match=r"cannot be remembered \(No space left on device\); free some space"):
        memory.add([make_handled(1)])
    monkeypatch.setattr(os, "write", write)
    memory.add([make_handled(2)])
    memory.close()
    assert list_remembered(path) == [make_handled(0), make_handled(2)]


def test_after_an_update_that_changes_digests_an_id_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise each notice that is delivered again would be reported as changed."""
    path = tmp_path / "file"
    read = NoticeDecoder("DE").read(notice_bytes("DE", identity="id"))
    with monkeypatch.context() as patch:
        patch.setattr(delivery_memory, "_name_schema", lambda: "an earlier one")
        memory = open_memory(path)
        memory.add([Handled("id", b"another digest", "CH", "item", 1, 0)])
        memory.close()
    history = DeliveryHistory(5)
    memory = open_memory(path)
    memory.restore(history)
    memory.close()
    assert history.compare(*read) is Repetition.SAME


CHILD = """
import os, sys
from sharing.clients.subscriber import Subscriber
bootstrap, journal, memory, form = sys.argv[1:]
file = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def write(notices):
    os.read(0, 1)  # a token for each call
    os.write(file, "".join(f"{notice.content['value']}\\n" for notice in notices).encode())
    os.write(file, b"-\\n")
properties = {"session.timeout.ms": 1500, "heartbeat.interval.ms": 200}
with Subscriber(bootstrap, "DE", properties=properties, remember=memory) as subscriber:
    if form == "run":
        subscriber.run(lambda notice: write([notice]))
    elif form == "batches":
        subscriber.run_batches(write, 7)
    else:
        for notice in subscriber:
            write([notice])
"""
COUNT = 500
TOKENS = {"loop": 150, "run": 150, "batches": 22}
"""How often the handler may be called in one life."""


@pytest.mark.parametrize("form", TOKENS)
def test_after_a_kill_at_most_what_was_in_the_handler_comes_again(tmp_path: Path, form: str) -> None:
    """The process is really killed, in the middle of its work, several times; each time a new one goes on."""
    journal, memory = tmp_path / "journal", tmp_path / "memory"
    journal.touch()
    values = [f"{number}.example" for number in range(COUNT)]
    ends: list[int] = []  # how many calls there were at each kill
    with EmbeddedBroker() as broker:
        make_topics(broker, "DE", partitions=1)
        write_records(broker, NOTICES.topic("DE"), [notice_bytes("DE", value) for value in values])
        while len(list_handled(read_calls(journal))) < COUNT:
            arguments = [sys.executable, "-c", CHILD, broker.bootstrap, str(journal), str(memory), form]
            child = subprocess.Popen(arguments, stdin=subprocess.PIPE)
            try:
                assert child.stdin is not None
                child.stdin.write(b"." * TOKENS[form])
                child.stdin.flush()
                is_half_done = partial(has_handled, journal, len(read_calls(journal)) + TOKENS[form] // 2)
                wait_until(is_half_done, "half of the tokens are used, or all is handled", SECONDS)
            finally:
                child.kill()
                child.wait(SECONDS)
            ends.append(len(read_calls(journal)))
    calls = read_calls(journal)
    assert list_handled(calls) == values
    for start, end in pairwise([*ends, len(calls)]):
        before = set(list_handled(calls[:start]))
        again = [value for call in calls[start:end] for value in call if value in before]
        assert set(again) <= set(calls[start - 1])
        assert len(again) == len(set(again))
    assert len(ends) > 1


def has_handled(journal: Path, calls: int) -> bool:
    done = read_calls(journal)
    return len(done) >= calls or len(list_handled(done)) == COUNT


def list_handled(calls: list[list[str]]) -> list[str]:
    """Return each value once, in the order in which they were handled first."""
    return list(dict.fromkeys(value for call in calls for value in call))


def read_calls(journal: Path) -> list[list[str]]:
    """Return what each call of the handler was given; of the last one, perhaps a part."""
    text = journal.read_text(encoding="utf-8") if journal.exists() else ""
    calls = [call.split() for call in text.split("-\n")]
    return [call for call in calls if call]
