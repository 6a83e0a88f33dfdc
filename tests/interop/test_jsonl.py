"""JSON lines: one entry per line, lines take precedence over the profile, and an invalid line stops nothing."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from sharing.errors import InputError
from sharing.interop import (
    ConflictingItemError,
    DuplicateFilter,
    FileFormat,
    UnpublishedCause,
    iterate_entries,
    read_files,
)
from sharing.model.vocabulary import Form, OffenceCode, Tristate
from tests.interop.import_fixtures import (
    FACTS,
    import_data,
    import_lines,
    list_published,
    list_unpublished,
    make_context,
)

if TYPE_CHECKING:
    from pathlib import Path

IP = {"type": "ipv4-addr", "value": "198.51.100.7"}
DOMAIN = {"type": "domain-name", "value": "malware.example.org"}
ID = "018f3c1e-7b1a-7c3d-8e2f-0123456789ab"


def find_reason(line: Any) -> str:
    """Return the reason why a line is not published; a valid line next to it is published."""
    result = import_lines(DOMAIN, line)
    assert list_published(result) == [("domain-name", "malware.example.org")]
    (entry,) = result.unpublished
    assert (entry.file, entry.position) == ("f", "2")
    return entry.reason


def test_each_line_is_an_indicator_of_the_agency_with_an_id_and_the_facts_of_the_profile() -> None:
    result = import_lines(IP, "", "   ", {**DOMAIN, "id": ID})
    first, second = (located.indicator for located in result.indicators)
    assert result.total == 2
    assert [located.position for located in result.indicators] == ["1", "4"]
    assert (first.source.state, first.source.agency) == ("CH", "Sample agency")
    assert uuid.UUID(first.id).version == 8
    assert second.id == ID
    assert first.form is Form.INFORMATION
    assert first.offence.codes == (OffenceCode.ILLEGAL_ACCESS,)


def test_a_line_takes_precedence_over_the_profile_field_by_field_even_with_null() -> None:
    profile = "defaults: {personal_data: NO, offence: {codes: [LAUNDERING], modus_operandi: [malware]}, form: EVIDENCE}"
    line = {**IP, "personal_data": None, "offence": {"codes": ["COPYRIGHT"]}, "source": {"officer": "o-7"}}
    (located,) = import_lines(line, profile=profile).indicators
    indicator = located.indicator
    assert indicator.personal_data is Tristate.UNKNOWN
    assert indicator.offence.codes == (OffenceCode.COPYRIGHT,)
    assert indicator.offence.modus_operandi == ("malware",)
    assert indicator.form is Form.EVIDENCE
    assert (indicator.source.officer, indicator.source.agency) == ("o-7", "Sample agency")


def test_a_fact_that_is_not_stated_stays_unknown() -> None:
    (located,) = import_lines(IP, profile="to_ids: any").indicators
    assert located.indicator.form is Form.UNKNOWN
    assert located.indicator.secrecy_domain is Tristate.UNKNOWN
    assert located.indicator.offence.codes == ()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{", "is not valid JSON"),
        ('{"type": "url" "value": "x"}', "is not valid JSON"),
        (f"{json.dumps(IP)} {json.dumps(IP)}", "Extra data"),
        ("[]", "is not a JSON object"),
        ("null", "is not a JSON object"),
        ("17", "is not a JSON object"),
        ('{"type": "ipv4-addr", "value": "198.51.100.7", "value": "198.51.100.8"}', "contains the key 'value' twice"),
        ('{"type": "ipv4-addr", "value": "198.51.100.7", "offence": {"<b>": 1, "<b>": 2}}', "contains a key twice"),
        ('{"type": "ipv4-addr", "value": "198.51.100.7", "version": NaN}', "contains NaN"),
        ('{"type": "ipv4-addr", "value": "198.51.100.7", "version": -Infinity}', "contains -Infinity"),
        (
            '{"type": "ipv4-addr", "value": "198.51.100.7", "version": 9223372036854775808}',
            "contains an integer of more than 64 bits",
        ),
        (
            '{"type": "ipv4-addr", "value": "198.51.100.7", "version": ' + "9" * 5000 + "}",
            "contains an integer of more than 64 bits",
        ),
        ('{"type": "ipv4-addr", "value": "198.51.100.7", "version": 1e999}', "contains a number that is too large"),
        ('{"type": "ipv4-addr", "value": "198.51.100.7", "summary": "\\ud800"}', "contains a lone surrogate"),
        ("[" * 100_000 + "]" * 100_000, "is nested too deeply"),
        ('{"type": "mutex", "value": "' + "x" * 2_000_000 + '"}', "is longer than"),
        ({**IP, "from": "DE"}, "from: unknown field"),
        ({**IP, "sumary": "x"}, "did you mean 'summary'"),
        ({"type": "ipv4-addr"}, "value: is missing"),
        ({"value": "198.51.100.7"}, "type: is missing"),
        ({"type": 7, "value": "198.51.100.7"}, "type:"),
        ({"type": "ipv4-adr", "value": "198.51.100.7"}, "did you mean 'ipv4-addr'"),
        ({"type": "ipv4-addr", "value": "198.51.100.07"}, "is not a valid ipv4-addr"),
        ({**IP, "source": 7}, "source:"),
        ({**IP, "form": "EVIDENC"}, "did you mean 'EVIDENCE'"),
        ({**IP, "id": "7"}, "id: must be a UUID"),
        ({**IP, "id": "00000000-0000-0000-0000-000000000000"}, "id: must not be all zeros"),
        ({**IP, "id": "{00000000000000000000000000000000}"}, "id: must not be all zeros"),
        ({**IP, "observed_at": "0001-01-01T00:00:00+14:00"}, "years 1 to 9999"),
        ({**IP, "source": {"state": "DE"}}, "source.state is not the publishing State"),
        ({**IP, "version": 2}, "id: is missing"),
        ({**IP, "version": 2, "action": "WITHDRAW", "reason": "wrong"}, "id: is missing"),
    ],
)
def test_an_invalid_line_is_listed_with_its_reason_and_the_other_lines_are_imported(line: Any, expected: str) -> None:
    assert expected in find_reason(line)


def test_invalid_json_and_an_invalid_indicator_have_different_causes() -> None:
    result = import_lines(IP, "{", {**IP, "form": "X"}, {**DOMAIN, "source": {"state": "UK"}})
    assert list_unpublished(result) == [
        ("2", UnpublishedCause.MALFORMED),
        ("3", UnpublishedCause.INVALID),
        ("4", UnpublishedCause.OTHER_STATE),
    ]


def test_another_agency_of_the_state_may_be_named_in_a_line() -> None:
    (located,) = import_lines({**IP, "source": {"agency": "Another office"}}).indicators
    assert located.indicator.source.agency == "Another office"


def test_equal_lines_without_an_id_are_items_of_their_own_with_the_same_ids_each_time() -> None:
    """The id of a line depends on the line and its count among equal ones of its file, and on nothing else."""
    reordered = dict(reversed(IP.items()))
    file = (IP, DOMAIN, reordered, {**IP, "summary": "seen again"}, IP)
    once, again = (
        [located.indicator.id for located in import_lines(*lines).indicators] for lines in (file, ("{", *file))
    )
    assert once == again
    assert len(set(once)) == len(file)
    shorter = [located.indicator.id for located in import_lines(DOMAIN, IP, IP).indicators]
    assert shorter == [once[1], once[0], once[2]]


def test_equal_lines_of_two_files_are_the_same_item(tmp_path: Path) -> None:
    """Each file gives the ids that it gives alone, whatever is published with it."""
    paths = [tmp_path / name for name in "abc"]
    for path, count in zip(paths, (1, 3, 2), strict=True):
        path.write_text(f"{json.dumps(IP)}\n" * count)
    result = read_files(paths, make_context())
    assert [(located.file, located.position) for located in result.indicators] == [
        (str(paths[0]), "1"), (str(paths[1]), "2"), (str(paths[1]), "3"),
    ]  # fmt: skip
    assert [(entry.file, entry.position, entry.cause) for entry in result.unpublished] == [
        (str(path), position, UnpublishedCause.DUPLICATE)
        for path, position in ((paths[1], "1"), (paths[2], "1"), (paths[2], "2"))
    ]
    twice = read_files([paths[1], paths[1]], make_context())
    assert (len(twice.indicators), len(twice.unpublished)) == (3, 3)


@pytest.mark.parametrize(
    "more", [{"offence": {"codes": ["LAUNDERING"]}}, {"tlp": "RED"}, {"source": {"case": "c-2"}}, {"id": ID}]
)
def test_the_same_value_with_other_facts_or_its_own_id_is_another_item(more: dict[str, Any]) -> None:
    assert len(import_lines(IP, {**IP, **more}).indicators) == 2


def test_an_id_occurs_once_in_each_version() -> None:
    first, later = {**IP, "id": ID}, {**IP, "id": ID, "version": 2, "action": "SUPERSEDE"}
    result = import_lines(first, later, {**first, "id": ID.upper()})
    assert [located.indicator.version for located in result.indicators] == [1, 2]
    assert list_unpublished(result) == [("3", UnpublishedCause.DUPLICATE)]
    assert "id and version of line 1" in result.unpublished[0].reason


@pytest.mark.parametrize("other", [DOMAIN, {**IP, "summary": "another text"}, {**IP, "tlp": "RED"}])
def test_another_content_under_the_same_id_and_version_refuses_the_file(other: dict[str, Any]) -> None:
    with pytest.raises(ConflictingItemError, match="f: line 3 has the id and version of line 1, and another content"):
        import_lines({**IP, "id": ID}, DOMAIN, {**other, "id": ID})


def test_a_conflict_between_files_names_both_places(tmp_path: Path) -> None:
    paths = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for path, line in zip(paths, (IP, DOMAIN), strict=True):
        path.write_text(json.dumps({**line, "id": ID}) + "\n")
    with pytest.raises(InputError) as raised:
        read_files(paths, make_context())
    assert f"{paths[1]}: line 1 has the id and version of line 1 in {paths[0]}" in str(raised.value)
    kept = read_files(paths, make_context(), keep_going=True)
    assert list_published(kept) == [("ipv4-addr", "198.51.100.7")]
    assert len(kept.unreadable) == 1


def test_a_line_without_an_id_always_has_the_same_one() -> None:
    """The id depends on what the line says, not on its place, white space or order of fields."""
    reordered = json.dumps(dict(reversed(IP.items())), indent=None, separators=(" , ", " : "))
    ids = [
        located.indicator.id
        for result in (import_lines(IP), import_lines(DOMAIN, reordered))
        for located in result.indicators
    ]
    assert ids[0] == ids[2] != ids[1]
    (changed,) = import_lines({**IP, "summary": "x"}).indicators
    assert changed.indicator.id not in ids


def test_only_a_line_feed_ends_a_line_and_a_byte_order_mark_is_accepted() -> None:
    lines = [json.dumps({**IP, "summary": "one\u2028two"}, ensure_ascii=False), json.dumps(DOMAIN)]
    result = import_data(b"\xef\xbb\xbf" + "\r\n".join(lines).encode() + b"\r\n")
    assert [located.position for located in result.indicators] == ["1", "2"]
    assert result.indicators[0].indicator.summary == "one\u2028two"


def test_a_file_without_any_indicator_is_one_error() -> None:
    with pytest.raises(InputError, match="no line is an indicator"):
        import_data('{"name": "x"}\n{"name": "y"}\n', format=FileFormat.JSONL)


def test_entries_are_yielded_one_by_one() -> None:
    lines = "\n".join(json.dumps({**IP, "value": f"198.51.100.{last}"}) for last in range(5))
    entries = iterate_entries(lines.encode(), "f", make_context(), DuplicateFilter())
    assert next(entries).position == "1"
    assert [entry.position for entry in entries] == ["2", "3", "4", "5"]


def test_progress_is_reported_up_to_the_end() -> None:
    lines = "\n".join(json.dumps({**IP, "value": f"198.51.{i // 250}.{i % 250}"}) for i in range(1200))
    reports: list[tuple[str, float]] = []
    import_data(lines, FACTS, on_progress=lambda file, done: reports.append((file, done)))
    fractions = [done for _, done in reports]
    assert {file for file, _ in reports} == {"f"}
    assert fractions == sorted(fractions)
    assert 0 < fractions[0] < fractions[-1] == 1.0
