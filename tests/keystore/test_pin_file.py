"""The file of pinned roots."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sharing.errors import InputError
from sharing.keystore.pin_file import make_pinned_root, read_pins, replace_pin, write_pins
from sharing.model.countries import STATES
from sharing.trust.root import Pin
from tests.trust.trust_fixtures import NOW

FINGERPRINT = "0123456789abcdef" * 4
PIN = Pin("DE", 3, FINGERPRINT)
ROW = f"""\
format: 1
roots:
- state: NO
  version: 1
  fingerprint: {" ".join([FINGERPRINT[:4]] * 16)}
  added_at: '2026-03-01T12:00:00.000Z'
"""


def test_pins_come_back_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "trust.yaml"
    assert read_pins(path) == {}
    pins = {"NL": make_pinned_root(Pin("NL", 1, FINGERPRINT), NOW), "DE": make_pinned_root(PIN, NOW + 1)}
    write_pins(path, pins)
    assert read_pins(path) == pins
    assert list(read_pins(path)) == ["DE", "NL"]
    assert read_pins(path)["DE"].to_pin() == PIN
    assert "fingerprint: 0123 4567 89ab cdef 0123" in path.read_text()


def test_a_person_may_write_it(tmp_path: Path) -> None:
    path = tmp_path / "trust.yaml"
    path.write_text(ROW)
    assert read_pins(path)["NO"].to_pin().fingerprint == "0123" * 16


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("format: 1", "format: 2", "trust.yaml:1: format: must be 1"),
        ("state: NO", "state: 'XX'", "trust.yaml:3: roots.0.state"),
        ("version: 1", "version: 0", "trust.yaml:4: roots.0.version"),
        ("0123 0123", "0123 012", "trust.yaml:5: roots.0.fingerprint: a fingerprint has 64 digits"),
        ("0123 0123", "0123 012O", "trust.yaml:5: roots.0.fingerprint: a fingerprint has 64 digits"),
        ("  version", "  note: x\n  version", "trust.yaml:4: roots.0.note"),
        ("'2026-03-01T12:00:00.000Z'", "2026-03-01", "trust.yaml:6: roots.0.added_at"),
        ("roots:", "roots: []\nroots:", "trust.yaml:3: roots: is a duplicate key"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "trust.yaml"
    path.write_text(ROW.replace(old, new, 1))
    with pytest.raises(InputError) as error:
        read_pins(path)
    assert str(error.value).startswith(message)


def test_a_state_is_pinned_once(tmp_path: Path) -> None:
    path = tmp_path / "trust.yaml"
    path.write_text(ROW + ROW.partition("roots:\n")[2])
    with pytest.raises(InputError, match=r"trust.yaml:7: roots.1.state: NO is listed twice"):
        read_pins(path)


def test_a_link_leads_to_the_file_that_is_under_control(tmp_path: Path) -> None:
    path, target = tmp_path / "trust.yaml", tmp_path / "reviewed" / "trust.yaml"
    path.symlink_to(target)
    with pytest.raises(InputError, match="is a link to a file that is not there"):
        read_pins(path)
    target.parent.mkdir()
    target.write_text(ROW)
    write_pins(path, {**read_pins(path), "DE": make_pinned_root(PIN, NOW)})
    assert path.is_symlink()
    assert list(read_pins(target)) == ["DE", "NO"]


def test_processes_at_the_same_time_lose_no_pin(tmp_path: Path) -> None:
    path, states = tmp_path / "trust.yaml", sorted(STATES)[:12]
    pins = {state: make_pinned_root(Pin(state, 1, FINGERPRINT), NOW) for state in states}
    with ThreadPoolExecutor(len(states)) as pool:  # flock holds between open files, also of one process
        list(pool.map(lambda state: replace_pin(path, None, pins[state]), states))
    assert read_pins(path) == pins


def test_a_pin_that_was_changed_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path, older = tmp_path / "trust.yaml", make_pinned_root(Pin("DE", 2, FINGERPRINT), NOW)
    newest = make_pinned_root(PIN, NOW)
    write_pins(path, {"DE": newest})
    with pytest.raises(InputError, match="was changed at the same time"):
        replace_pin(path, None, older)
    assert read_pins(path) == {"DE": newest}
