"""The dated treaty table: which State is bound by which instrument on a day, and the errors for a broken table."""

from __future__ import annotations

import datetime as dt

import pytest

from sharing.errors import PackError
from sharing.law.reading.treaty_reader import parse_treaties
from sharing.law.treaties import Period
from tests.law.treaty_tables import DAYS, SMALL, TODAY, parse_broken_table, parse_small_table


def test_a_period_includes_both_its_days() -> None:
    period = Period(dt.date(2020, 1, 10), dt.date(2020, 1, 20))
    assert not period.contains(dt.date(2020, 1, 9))
    assert period.contains(dt.date(2020, 1, 10))
    assert period.contains(dt.date(2020, 1, 20))
    assert not period.contains(dt.date(2020, 1, 21))


def test_a_period_without_an_end_is_open() -> None:
    assert Period(dt.date(2020, 1, 10)).contains(dt.date.max)
    assert not Period(dt.date(2020, 1, 10)).contains(dt.date(2020, 1, 9))


def test_a_period_may_have_one_day() -> None:
    table = parse_treaties(SMALL.replace("to: 2020-12-31", "to: 2011-09-01"), "small.yaml")
    period = table.instruments["OLD"].parties["GB"]
    assert period.contains(dt.date(2011, 9, 1))
    assert not period.contains(dt.date(2011, 9, 2))


@pytest.mark.parametrize(
    ("other", "shared"),
    [
        (Period(dt.date(2020, 1, 20), dt.date(2020, 2, 1)), True),  # the last day is shared
        (Period(dt.date(2020, 1, 21), dt.date(2020, 2, 1)), False),
        (Period(dt.date(2019, 1, 1), dt.date(2020, 1, 10)), True),  # the first day is shared
        (Period(dt.date(2019, 1, 1), dt.date(2020, 1, 9)), False),
        (Period(dt.date(2019, 1, 1)), True),
        (Period(dt.date(2020, 1, 21)), False),
    ],
)
def test_periods_overlap_when_they_share_a_day(other: Period, shared: bool) -> None:
    period = Period(dt.date(2020, 1, 10), dt.date(2020, 1, 20))
    assert period.overlaps(other) is shared
    assert other.overlaps(period) is shared


def test_an_instrument_binds_from_its_own_entry_into_force() -> None:
    old = parse_small_table().instruments["OLD"]
    assert not old.binds("US", dt.date(2004, 6, 30))  # a Party before the instrument was in force
    assert old.binds("US", dt.date(2004, 7, 1))


def test_an_instrument_binds_a_state_only_within_its_period() -> None:
    old = parse_small_table().instruments["OLD"]
    assert [old.binds("GB", day) for day in (dt.date(2011, 8, 31), dt.date(2011, 9, 1))] == [False, True]
    assert [old.binds("GB", day) for day in (dt.date(2020, 12, 31), dt.date(2021, 1, 1))] == [True, False]
    assert not old.binds("FR", TODAY)


def test_an_instrument_that_is_not_in_force_binds_no_state_on_its_list() -> None:
    new = parse_small_table().instruments["NEW"]
    assert new.parties
    assert not any(new.binds(state, day) for state in new.parties for day in DAYS)
    assert parse_small_table().list_common_instruments("CH", "US", TODAY) == frozenset({"OLD"})


def test_two_looked_up_states_may_have_no_common_treaty() -> None:
    assert parse_small_table().list_common_instruments("CH", "FR", TODAY) == frozenset()


def test_a_state_that_is_not_listed_has_unknown_treaties() -> None:
    assert parse_small_table().list_common_instruments("CH", "JP", TODAY) is None
    assert parse_small_table().list_common_instruments("JP", "CH", TODAY) is None
    assert parse_small_table().list_common_instruments("JP", "JP", TODAY) is None
    assert not parse_small_table().covers("JP")


def test_a_membership_does_not_make_treaties_known() -> None:
    text = SMALL.replace("members: {FR:", "members: {JP: 1958-01-01, FR:")
    assert not parse_treaties(text, "small.yaml").covers("JP")


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "message"),
    [
        # unknown keys with the nearest known key, and missing keys
        ("title: A small", "noet: a word\ntitle: A small", 1, "noet", "unknown field; did you mean 'note'?"),
        ("note: nothing", "noet: nothing", 32, "memberships.SCHENGEN.noet", "unknown field"),
        ("to: 2020", "till: 2020", 13, "instruments.OLD.parties.GB.till", "unknown field"),
        ("article: art. 26", "artcle: art. 26", 6, "instruments.OLD.artcle", "did you mean 'article'"),
        ("    source: K\n", "", 4, "instruments.OLD.source", "is missing"),
        # dates
        ("CH: 2012-01-01", "CH: soon", 13, "instruments.OLD.parties.CH", ""),
        ("CH: 2012-01-01", "CH: 01.01.2012", 13, "instruments.OLD.parties.CH", ""),
        ("in_force: 2004-07-01", "in_force: 2004", 8, "instruments.OLD.in_force", ""),
        ("to: 2020-12-31", "to: 2011-08-31", 13, "instruments.OLD.parties.GB", "ends before it starts"),
        # countries
        ("CH: 2012", "CHE: 2012", 13, "instruments.OLD.parties.CHE", "did you mean CH (Switzerland)?"),
        ("CH: 2012", "Switzerland: 2012", 13, "instruments.OLD.parties.Switzerland", "did you mean CH"),
        ("CH: 2012", "XK: 2012", 13, "instruments.OLD.parties.XK", "user-assigned"),
        # memberships that law packs need
        ("  EU:\n", "  UE:\n", 24, "memberships", "is missing EU"),
        ("  SCHENGEN:\n", "  SHENGEN:\n", 24, "memberships", "is missing SCHENGEN"),
        # duplicate keys
        (
            "CH: 2012-01-01",
            "CH: 2012-01-01, CH: 2013-01-01",
            13,
            "instruments.OLD.parties.CH",
            "is a duplicate key; keep one",
        ),
        ("  NEW:\n", "  OLD:\n", 14, "instruments.OLD", "is a duplicate key; keep one"),
        # values outside their closed list
        ("PRE_ACCEPT", "PREACCEPT", 7, "instruments.OLD.condition_model", "did you mean 'PRE_ACCEPT'?"),
        ("verified: false", "verified: no", 10, "instruments.OLD.verified", ""),
        # what it covers
        ("    scope: {}\n", "", 14, "instruments.NEW.scope", "is missing, and is required"),
        ("    authorities: {from: [POLICE], to: [POLICE]}\n", "", 14, "instruments.NEW.authorities", "is missing"),
        (
            "offence.codes: ILLEGAL",
            "offence.code: ILLEGAL",
            11,
            "instruments.OLD.scope.offence.code",
            "unknown fact; did",
        ),
        (
            "ILLEGAL_ACCESS",
            "ILLEGAL_ACCES",
            11,
            "instruments.OLD.scope.offence.codes",
            "did you mean 'ILLEGAL_ACCESS'?",
        ),
        ("offence.codes: ILLEGAL_ACCESS", "recipient.eu: true", 11, "instruments.OLD.scope", "tests the item only"),
        (
            "from: [POLICE], to: [POLICE, C",
            "from: [POLIC], to: [POLICE, C",
            12,
            "instruments.OLD.authorities",
            "'POLICE'?",
        ),
        ("from: [POLICE], to: [POLICE, C", "from: [], to: [POLICE, C", 12, "instruments.OLD.authorities.from", "empty"),
        ("from: [POLICE], to: [POLICE, C", "to: [POLICE, C", 12, "instruments.OLD.authorities.from", "is missing"),
        (
            "from: [POLICE], to: [POLICE, C",
            "from: [UNKNOWN], to: [POLICE, C",
            12,
            "instruments.OLD.authorities",
            "unknown kind",
        ),
    ],
)
def test_a_broken_table_is_refused_with_file_line_and_key(
    old: str, new: str, line: int, key: str, message: str
) -> None:
    error = parse_broken_table(old, new)
    assert error.source == "small.yaml"
    assert error.line == line
    assert error.key.startswith(key)
    assert str(error).startswith(f"small.yaml:{line}: {key}")
    assert message in str(error)


def test_all_faults_of_a_table_are_reported_at_once() -> None:
    error = parse_broken_table(
        "ILLEGAL_ACCESS}\n    authorities: {from: [POLICE]", "NO_CRIME}\n    authorities: {form: [POLICE]"
    )
    assert "instruments.OLD.authorities.form: unknown field" in str(error)
    broken = SMALL.replace("ILLEGAL_ACCESS", "NO_CRIME").replace("to: 2020-12-31", "to: 2011-08-31")
    with pytest.raises(PackError) as caught:
        parse_treaties(broken, "small.yaml")
    assert "instruments.OLD.scope.offence.codes" in str(caught.value)
    assert "ends before it starts" in str(caught.value)


def test_a_table_without_instruments_is_refused() -> None:
    text = "title: T\nconsolidated_at: 2026-01-01\ninstruments: {}\nmemberships: {}\n"
    with pytest.raises(PackError, match=r"small\.yaml:3: instruments"):
        parse_treaties(text, "small.yaml")


def test_a_day_that_does_not_exist_is_refused() -> None:
    error = parse_broken_table("CH: 2012-01-01", "CH: 2012-02-30")
    assert error.source == "small.yaml"
    assert "day is out of range" in str(error)


def test_norway_is_a_country_and_not_a_boolean() -> None:
    text = SMALL.replace("CH: 2012-01-01", "NO: 2006-10-01")
    assert parse_treaties(text, "small.yaml").instruments["OLD"].binds("NO", dt.date(2006, 10, 1))
