"""JSON lines: one entry a line, the line wins over the profile, and a bad line stops nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sharing.errors import InputError
from sharing.interop import Cause, FileFormat, IdRegister, read_entries
from sharing.model.vocabulary import Form, OffenceCode, Tristate
from tests.interop.import_fixtures import FACTS, intake, listed, published, read, read_lines

IP = {"type": "ipv4-addr", "value": "198.51.100.7"}
DOMAIN = {"type": "domain-name", "value": "malware.example.org"}
ID = "018f3c1e-7b1a-7c3d-8e2f-0123456789ab"


def reason(line: Any) -> str:
    """Return the reason for which a line is listed; a good line beside it is published."""
    found = read_lines(DOMAIN, line)
    assert published(found) == [("domain-name", "malware.example.org")]
    (entry,) = found.not_published
    assert (entry.file, entry.place) == ("f", "2")
    return entry.reason


def test_each_line_is_an_indicator_of_the_agency_with_an_id_and_the_facts_of_the_profile() -> None:
    reading = read_lines(IP, "", "   ", {**DOMAIN, "id": ID})
    first, second = (placed.indicator for placed in reading.indicators)
    assert reading.read == 2
    assert [placed.place for placed in reading.indicators] == ["1", "4"]
    assert (first.source.state, first.source.agency) == ("CH", "Sample agency")
    assert first.id == "00000000-0000-7000-8000-000000000001"
    assert second.id == ID
    assert first.form is Form.INFORMATION
    assert first.offence.codes == (OffenceCode.ILLEGAL_ACCESS,)


def test_what_the_line_says_wins_field_by_field_and_null_is_said() -> None:
    profile = "defaults: {personal_data: NO, offence: {codes: [LAUNDERING], modus_operandi: [malware]}, form: EVIDENCE}"
    line = {**IP, "personal_data": None, "offence": {"codes": ["COPYRIGHT"]}, "source": {"officer": "o-7"}}
    (placed,) = read_lines(line, profile=profile).indicators
    indicator = placed.indicator
    assert indicator.personal_data is Tristate.UNKNOWN
    assert indicator.offence.codes == (OffenceCode.COPYRIGHT,)
    assert indicator.offence.modus_operandi == ("malware",)
    assert indicator.form is Form.EVIDENCE
    assert (indicator.source.officer, indicator.source.agency) == ("o-7", "Sample agency")


def test_what_nobody_says_stays_unknown() -> None:
    (placed,) = read_lines(IP, profile="to_ids: any").indicators
    assert placed.indicator.form is Form.UNKNOWN
    assert placed.indicator.secrecy_domain is Tristate.UNKNOWN
    assert placed.indicator.offence.codes == ()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "is not valid JSON"),
        ('{"type": "url" "value": "x"}', "is not valid JSON"),
        (f"{json.dumps(IP)} {json.dumps(IP)}", "Extra data"),
        ("[]", "is not a JSON object"),
        ("null", "is not a JSON object"),
        ("17", "is not a JSON object"),
        ('{"type": "ipv4-addr", "value": "198.51.100.7", "value": "198.51.100.8"}', "holds the key 'value' twice"),
        ('{"type": "ipv4-addr", "value": "198.51.100.7", "offence": {"<b>": 1, "<b>": 2}}', "holds a key twice"),
        ('{"type": "ipv4-addr", "value": "198.51.100.7", "version": NaN}', "holds NaN"),
        ('{"type": "ipv4-addr", "value": "198.51.100.7", "version": -Infinity}', "holds -Infinity"),
        ('{"type": "ipv4-addr", "value": "198.51.100.7", "version": 9223372036854775808}', "more than 64 bits"),
        ('{"type": "ipv4-addr", "value": "198.51.100.7", "version": ' + "9" * 5000 + "}", "more than 64 bits"),
        ('{"type": "ipv4-addr", "value": "198.51.100.7", "version": 1e999}', "too large"),
        ('{"type": "ipv4-addr", "value": "198.51.100.7", "summary": "\\ud800"}', "surrogate"),
        ("[" * 100_000 + "]" * 100_000, "nests too deep"),
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
        ({**IP, "observed_at": "0001-01-01T00:00:00+14:00"}, "years 1 to 9999"),
        ({**IP, "source": {"state": "DE"}}, "source.state is not the State that publishes"),
        ({**IP, "version": 2}, "id: is missing"),
        ({**IP, "version": 2, "action": "WITHDRAW", "reason": "wrong"}, "id: is missing"),
    ],
)
def test_a_bad_line_is_listed_with_its_line_and_reason_and_the_rest_goes_on(line: Any, says: str) -> None:
    assert says in reason(line)


def test_causes_tell_apart_what_is_no_json_and_what_is_no_indicator() -> None:
    found = read_lines(IP, "{", {**IP, "form": "X"}, {**DOMAIN, "source": {"state": "UK"}})
    assert listed(found) == [("2", Cause.MALFORMED), ("3", Cause.INVALID), ("4", Cause.OTHER_STATE)]


def test_another_agency_of_the_state_may_be_named_in_a_line() -> None:
    (placed,) = read_lines({**IP, "source": {"agency": "Another office"}}).indicators
    assert placed.indicator.source.agency == "Another office"


def test_a_line_without_an_id_that_repeats_another_is_a_duplicate() -> None:
    found = read_lines(IP, DOMAIN, {**IP, "value": "198.51.100[.]7", "summary": "seen again"})
    assert listed(found) == [("3", Cause.DUPLICATE)]
    assert "line 1" in found.not_published[0].reason


@pytest.mark.parametrize(
    "more", [{"offence": {"codes": ["LAUNDERING"]}}, {"tlp": "RED"}, {"source": {"case": "c-2"}}, {"id": ID}]
)
def test_the_same_value_in_another_matter_or_under_its_own_id_is_another_item(more: dict[str, Any]) -> None:
    assert len(read_lines(IP, {**IP, **more}).indicators) == 2


def test_an_id_stands_once_in_each_version() -> None:
    first, later = {**IP, "id": ID}, {**IP, "id": ID, "version": 2, "action": "SUPERSEDE"}
    found = read_lines(first, later, {**DOMAIN, "id": ID.upper()})
    assert [placed.indicator.version for placed in found.indicators] == [1, 2]
    assert listed(found) == [("3", Cause.DUPLICATE)]
    assert "id and version of line 1" in found.not_published[0].reason


def test_only_a_line_feed_ends_a_line_and_a_byte_order_mark_is_taken() -> None:
    lines = [json.dumps({**IP, "summary": "one\u2028two"}, ensure_ascii=False), json.dumps(DOMAIN)]
    reading = read(b"\xef\xbb\xbf" + "\r\n".join(lines).encode() + b"\r\n")
    assert [placed.place for placed in reading.indicators] == ["1", "2"]
    assert reading.indicators[0].indicator.summary == "one\u2028two"


def test_a_file_without_any_indicator_is_an_error_and_not_a_long_list() -> None:
    with pytest.raises(InputError, match="no line of it is an indicator"):
        read('{"name": "x"}\n{"name": "y"}\n', format=FileFormat.JSONL)


def test_reading_streams_entry_by_entry() -> None:
    lines = "\n".join(json.dumps({**IP, "value": f"198.51.100.{last}"}) for last in range(5))
    entries = read_entries(lines.encode(), "f", intake(), IdRegister())
    assert next(entries).place == "1"
    assert [entry.place for entry in entries] == ["2", "3", "4", "5"]


def test_progress_runs_to_the_end() -> None:
    lines = "\n".join(json.dumps({**IP, "value": f"198.51.{i // 250}.{i % 250}"}) for i in range(1200))
    seen: list[tuple[str, float]] = []
    read(lines, FACTS, on_progress=lambda file, done: seen.append((file, done)))
    shares = [done for _, done in seen]
    assert {file for file, _ in seen} == {"f"}
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] == 1.0
