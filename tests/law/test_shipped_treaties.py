"""The shipped treaty table: its parties, dates and memberships, and what its instruments cover."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import pytest

from sharing.errors import PackError
from sharing.law.reading.treaty_reader import parse_treaties
from sharing.law.treaties import Instrument, TreatyTable
from sharing.model.countries import COUNTRIES
from sharing.model.vocabulary import ConditionModel
from sharing.packs.library import read_shipped_treaties_text
from sharing.yaml_files.source import read_yaml
from tests.law.treaty_tables import DAYS, LOOKED_UP, TEXT, TODAY

GROUPS = {
    "Council of Europe": (
        "AD AL AM AT AZ BA BE BG CH CY CZ DE DK EE ES FI FR GB GE GR HR HU IE IS IT LI LT LU LV MC MD ME MK "
        "MT NL NO PL PT RO RS SE SI SK SM TR UA"
    ),
    "G20": "AR AU BR CA CN DE FR GB ID IN IT JP KR MX RU SA TR US ZA",
    "Five Eyes": "AU CA GB NZ US",
    "ASEAN": "BN ID KH LA MM MY PH SG TH TL VN",
}


@pytest.fixture(scope="module")
def table() -> TreatyTable:
    return parse_treaties(TEXT, "treaties.yaml")


def test_the_table_has_its_text_for_the_hash_of_a_pack(table: TreatyTable) -> None:
    assert table.text == TEXT


def test_the_shipped_table_has_these_instruments_and_memberships(table: TreatyTable) -> None:
    assert set(table.instruments) == {
        "BUDAPEST", "BUDAPEST_P2", "UNCAC", "UNTOC", "UNCC", "EU_2023_977", "NAPLES_II", "TCA_PART_3", "EU_MLA_2000",
        "ETS_182", "AMLD_FIU",
    }  # fmt: skip
    assert set(table.memberships) == {"EU", "SCHENGEN"}


def test_prior_acceptance_is_required_where_conditions_may_not_bind_without_it(table: TreatyTable) -> None:
    """Budapest art. 26(2), and ETS 182 art. 11(4), where a Party may declare that they bind only if agreed."""
    pre_accept = {
        name for name, entry in table.instruments.items() if entry.condition_model is ConditionModel.PRE_ACCEPT
    }
    assert pre_accept == {"BUDAPEST", "BUDAPEST_P2", "ETS_182"}


def test_every_list_has_sorted_known_countries(table: TreatyTable) -> None:
    """The codes as written are checked, so that `UK` and `GB`, which mean the same State, cannot hide each other."""
    data = read_yaml(TEXT, "treaties.yaml").data
    lists = {name: entry["parties"] for name, entry in data["instruments"].items()}
    lists |= {name: entry["members"] for name, entry in data["memberships"].items()}
    assert len(lists) == 13
    for name, states in lists.items():
        assert set(states) <= COUNTRIES, name
        assert list(states) == sorted(states), name


def test_no_state_is_bound_before_the_instrument_is_in_force(table: TreatyTable) -> None:
    for entry in table.instruments.values():
        for state, period in entry.parties.items():
            assert entry.in_force is not None, (entry.name, state)
            assert period.start >= entry.in_force, (entry.name, state)


def test_no_start_is_after_the_consolidation_of_the_table(table: TreatyTable) -> None:
    consolidated = read_yaml(TEXT, "treaties.yaml").data["consolidated_at"]
    for entry in table.instruments.values():
        assert all(period.start <= consolidated for period in entry.parties.values()), entry.name


@pytest.mark.parametrize("name", ["BUDAPEST", "ETS_182"])
def test_dates_of_the_council_of_europe_are_entries_into_force_and_not_deposits(table: TreatyTable, name: str) -> None:
    """Budapest art. 36(4), ETS 182 art. 30(3): it enters into force for a State on the first day of a month."""
    assert {period.start.day for period in table.instruments[name].parties.values()} == {1}


def test_a_state_is_listed_only_if_the_three_main_instruments_were_looked_up(table: TreatyTable) -> None:
    looked_up = set().union(*(table.instruments[name].parties for name in LOOKED_UP))
    for entry in table.instruments.values():
        assert set(entry.parties) <= looked_up, entry.name
    # The Parties of the two United Nations conventions differ by States that the file's notes name.
    assert set(table.instruments["UNTOC"].parties) - set(table.instruments["UNCAC"].parties) == {
        "AD",
        "MC",
        "SM",
    }
    assert set(table.instruments["UNCAC"].parties) <= set(table.instruments["UNTOC"].parties)
    assert set(table.instruments["BUDAPEST"].parties) <= set(table.instruments["UNTOC"].parties)


@pytest.mark.parametrize("state", ["SO", "IR", "CG", "KP", "SY", "PG", "HK", "AQ"])
def test_a_state_with_unclear_status_is_unknown(table: TreatyTable, state: str) -> None:
    assert not table.covers(state)
    assert table.list_common_instruments("CH", state, TODAY) is None


@pytest.mark.parametrize("group", GROUPS)
def test_the_main_groups_of_cooperating_states_are_covered(table: TreatyTable, group: str) -> None:
    assert [state for state in GROUPS[group].split() if not table.covers(state)] == []


def test_members_of_the_union_and_of_schengen_are_covered(table: TreatyTable) -> None:
    for members in table.memberships.values():
        assert [state for state in members if not table.covers(state)] == []


def test_the_number_of_parties(table: TreatyTable) -> None:
    """A typing error in a long list changes a number."""
    numbers = {name: len(entry.parties) for name, entry in table.instruments.items()}
    assert numbers == {
        "BUDAPEST": 77, "BUDAPEST_P2": 0, "UNCAC": 181, "UNTOC": 184, "UNCC": 0,
        "EU_2023_977": 28, "NAPLES_II": 28, "TCA_PART_3": 28, "EU_MLA_2000": 26, "ETS_182": 34, "AMLD_FIU": 28,
    }  # fmt: skip
    assert {name: len(members) for name, members in table.memberships.items()} == {"EU": 28, "SCHENGEN": 29}


@pytest.mark.parametrize("name", ["UNCC", "BUDAPEST_P2"])
def test_an_instrument_not_in_force_binds_no_state_on_any_day(table: TreatyTable, name: str) -> None:
    assert table.instruments[name].in_force is None
    for day in DAYS:
        assert not any(table.instruments[name].binds(state, day) for state in COUNTRIES)
        for first, second in itertools.pairwise(sorted(COUNTRIES)):
            assert name not in (table.list_common_instruments(first, second, day) or ())


@pytest.mark.parametrize(
    ("name", "state", "first"),
    [
        ("BUDAPEST", "CH", dt.date(2012, 1, 1)),
        ("BUDAPEST", "DE", dt.date(2009, 7, 1)),
        ("BUDAPEST", "NL", dt.date(2007, 3, 1)),
        ("BUDAPEST", "JP", dt.date(2012, 11, 1)),
        ("BUDAPEST", "US", dt.date(2007, 1, 1)),
        ("UNCAC", "CH", dt.date(2009, 10, 24)),
        ("UNCAC", "DE", dt.date(2014, 12, 12)),
        ("UNCAC", "JP", dt.date(2017, 8, 10)),
        ("UNCAC", "FR", dt.date(2005, 12, 14)),  # deposited before the Convention was in force
        ("UNTOC", "CH", dt.date(2006, 11, 26)),
        ("UNTOC", "FR", dt.date(2003, 9, 29)),
        ("EU_2023_977", "DE", dt.date(2024, 12, 12)),
        ("EU_2023_977", "CH", dt.date(2025, 7, 17)),
        ("EU_2023_977", "IE", dt.date(2024, 12, 12)),
        ("TCA_PART_3", "GB", dt.date(2021, 1, 1)),
        ("EU_MLA_2000", "IE", dt.date(2020, 8, 23)),
        ("EU_MLA_2000", "IT", dt.date(2018, 2, 22)),
        ("ETS_182", "CH", dt.date(2005, 2, 1)),
        ("AMLD_FIU", "IE", dt.date(2017, 6, 26)),
        ("NAPLES_II", "HR", dt.date(2016, 7, 1)),
    ],
)
def test_the_first_day_on_which_a_state_is_bound(table: TreatyTable, name: str, state: str, first: dt.date) -> None:
    assert not table.instruments[name].binds(state, first - dt.timedelta(days=1))
    assert table.instruments[name].binds(state, first)


def test_common_treaties_depend_on_the_day(table: TreatyTable) -> None:
    assert table.list_common_instruments("CH", "JP", dt.date(2012, 10, 31)) == frozenset()
    assert table.list_common_instruments("CH", "JP", dt.date(2012, 11, 1)) == frozenset({"BUDAPEST"})
    assert table.list_common_instruments("CH", "JP", TODAY) == frozenset({"BUDAPEST", "UNCAC", "UNTOC"})
    assert table.list_common_instruments("DE", "NL", TODAY) == frozenset(
        {
            "BUDAPEST", "UNCAC", "UNTOC", "EU_2023_977", "NAPLES_II", "EU_MLA_2000", "ETS_182", "AMLD_FIU",
        }
    )  # fmt: skip
    assert table.list_common_instruments("DE", "GB", TODAY) == frozenset(
        {"BUDAPEST", "UNCAC", "UNTOC", "TCA_PART_3", "ETS_182"}
    )


@pytest.mark.parametrize("state", ["CN", "IN", "ZA"])
def test_states_outside_the_budapest_convention(table: TreatyTable, state: str) -> None:
    assert table.list_common_instruments("CH", state, TODAY) == frozenset({"UNCAC", "UNTOC"})


@pytest.mark.parametrize("provider", ["FR", "NL"])
@pytest.mark.parametrize(
    ("sender", "codes", "receiver", "expected"),
    [
        ("POLICE", {"ILLEGAL_ACCESS"}, "POLICE", {"EU_2023_977"}),
        ("CUSTOMS", {"ICT_FRAUD_THEFT"}, "POLICE", {"EU_2023_977"}),
        ("PROSECUTOR", {"ILLEGAL_ACCESS"}, "COURT", {"EU_MLA_2000", "ETS_182"}),
        ("POLICE", {"ILLEGAL_ACCESS"}, "PROSECUTOR", set()),
        ("FIU", {"LAUNDERING"}, "FIU", {"AMLD_FIU"}),
        ("FIU", {"ILLEGAL_ACCESS"}, "FIU", set()),
    ],
)
def test_ireland_has_a_basis_outside_the_budapest_convention(
    table: TreatyTable, provider: str, sender: str, codes: set[str], receiver: str, expected: set[str]
) -> None:
    """Not the Budapest Convention: acts of the Union, and between judicial authorities the protocol of 2001."""
    facts = {**ITEM, "offence.codes": frozenset(codes), "source.authority": sender, "offence.organised_group": "NO"}
    common = table.list_common_instruments(provider, "IE", TODAY) or frozenset()
    covering = {
        name
        for name in common
        if table.instruments[name].coverage.answer_for_item(facts) is True
        and receiver in table.instruments[name].coverage.receivers
    }
    assert "BUDAPEST" not in common
    assert covering == expected


def test_an_instrument_with_a_hub_binds_no_others_to_each_other(table: TreatyTable) -> None:
    """The agreement with the United Kingdom is none among member States."""
    assert "TCA_PART_3" in (table.list_common_instruments("DE", "GB", TODAY) or ())
    assert "TCA_PART_3" in (table.list_common_instruments("GB", "NL", TODAY) or ())
    assert "TCA_PART_3" not in (table.list_common_instruments("DE", "NL", TODAY) or ())


def test_a_hub_is_a_party() -> None:
    text = read_shipped_treaties_text().replace("hub: GB", "hub: US")
    with pytest.raises(PackError, match=r"US is not one of its parties"):
        parse_treaties(text, "treaties.yaml")


def test_the_agreement_binds_the_united_kingdom_and_the_member_states(table: TreatyTable) -> None:
    assert set(table.instruments["TCA_PART_3"].parties) == {"GB"} | {
        state for state in COUNTRIES if table.is_member("EU", state, TODAY)
    }


def test_units_of_the_united_kingdom_shared_on_the_directive_on_laundering_until_2020(table: TreatyTable) -> None:
    directive = table.instruments["AMLD_FIU"]
    assert directive.binds("GB", dt.date(2020, 12, 31))
    assert not directive.binds("GB", dt.date(2021, 1, 1))
    assert directive.binds("FR", dt.date(2021, 1, 1))


@pytest.mark.parametrize(
    ("organisation", "state", "day", "member"),
    [
        ("EU", "GB", dt.date(1972, 12, 31), False),
        ("EU", "GB", dt.date(1973, 1, 1), True),
        ("EU", "GB", dt.date(2020, 1, 31), True),
        ("EU", "GB", dt.date(2020, 2, 1), False),
        ("EU", "HR", dt.date(2013, 6, 30), False),
        ("EU", "HR", dt.date(2013, 7, 1), True),
        ("EU", "CH", TODAY, False),
        ("SCHENGEN", "CH", TODAY, True),
        ("SCHENGEN", "HR", dt.date(2022, 12, 31), False),
        ("SCHENGEN", "HR", dt.date(2023, 1, 1), True),
        ("SCHENGEN", "BG", dt.date(2024, 12, 31), False),
        ("SCHENGEN", "BG", dt.date(2025, 1, 1), True),
        ("SCHENGEN", "RO", dt.date(2025, 1, 1), True),
        ("SCHENGEN", "IE", TODAY, False),
        ("SCHENGEN", "CY", TODAY, False),
        ("SCHENGEN", "GB", dt.date(2019, 1, 1), False),
    ],
)
def test_membership_on_a_day(table: TreatyTable, organisation: str, state: str, day: dt.date, member: bool) -> None:
    assert table.is_member(organisation, state, day) is member


def test_the_union_has_twenty_seven_members_today(table: TreatyTable) -> None:
    assert sum(table.is_member("EU", state, TODAY) for state in COUNTRIES) == 27


def test_the_united_kingdom_left_naples_at_the_end_of_the_transition_period(table: TreatyTable) -> None:
    naples = table.instruments["NAPLES_II"]
    assert naples.binds("GB", dt.date(2020, 12, 31))
    assert not naples.binds("GB", dt.date(2021, 1, 1))


def test_denmark_and_ireland_are_bound_by_the_directive_and_four_other_states_are_not(table: TreatyTable) -> None:
    directive: Instrument = table.instruments["EU_2023_977"]
    assert directive.binds("DK", TODAY)
    assert directive.binds("IE", TODAY)
    assert not any(directive.binds(state, TODAY) for state in ("IS", "LI", "NO", "GB"))


JUDICIAL = ("EU_MLA_2000", "ETS_182")

ITEM: dict[str, Any] = {
    "source.authority": "POLICE", "offence.codes": frozenset({"ILLEGAL_ACCESS"}), "offence.max_penalty_years": 5.0,
    "offence.organised_group": "YES", "enables_request": "NO", "findings.customs_infringement": "NO",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("BUDAPEST", {}, True),
        ("BUDAPEST", {"offence.codes": frozenset({"LAUNDERING"})}, False),
        ("BUDAPEST", {"offence.codes": frozenset({"LAUNDERING"}), "enables_request": "YES"}, True),
        ("BUDAPEST", {"offence.codes": frozenset({"LAUNDERING"}), "enables_request": None}, ("enables_request",)),
        ("BUDAPEST", {"source.authority": None}, ("source.authority",)),
        ("BUDAPEST", {"source.authority": "FIU"}, False),
        ("UNTOC", {}, True),
        ("UNTOC", {"offence.max_penalty_years": 3.9}, False),
        ("UNTOC", {"offence.max_penalty_years": 3.9, "offence.codes": frozenset({"CORRUPTION"})}, True),
        ("UNTOC", {"offence.max_penalty_years": 3.9, "offence.organised_group": None}, False),
        ("UNTOC", {"offence.organised_group": "NO"}, False),
        ("UNTOC", {"offence.organised_group": None}, ("offence.organised_group",)),
        ("UNTOC", {"offence.organised_group": None, "source.authority": "INTELLIGENCE"}, False),
        ("UNCAC", {}, False),
        ("UNCAC", {"offence.codes": frozenset({"LAUNDERING"})}, False),
        ("UNCAC", {"offence.codes": frozenset({"LAUNDERING", "CORRUPTION"})}, True),
        ("UNCAC", {"offence.codes": None}, ("offence.codes",)),
        ("EU_2023_977", {"offence.codes": None}, True),
        *[("EU_2023_977", {"source.authority": kind}, False) for kind in ("PROSECUTOR", "COURT", "FIU")],
        ("NAPLES_II", {"source.authority": "CUSTOMS"}, False),
        ("NAPLES_II", {"source.authority": "CUSTOMS", "findings.customs_infringement": "YES"}, True),
        ("TCA_PART_3", {"offence.codes": None}, True),
        *[("TCA_PART_3", {"source.authority": kind}, False) for kind in ("PROSECUTOR", "COURT", "FIU", "TAX")],
        *[(name, {"source.authority": kind}, True) for name in JUDICIAL for kind in ("PROSECUTOR", "COURT")],
        *[(name, {"source.authority": kind}, False) for name in JUDICIAL for kind in ("POLICE", "FIU", "CUSTOMS")],
        ("AMLD_FIU", {"source.authority": "FIU"}, False),
        ("AMLD_FIU", {"source.authority": "FIU", "offence.codes": frozenset({"LAUNDERING", "CORRUPTION"})}, True),
        ("AMLD_FIU", {"source.authority": "FIU", "offence.codes": None}, ("offence.codes",)),
        ("AMLD_FIU", {"offence.codes": frozenset({"LAUNDERING"})}, False),
    ],
)  # fmt: skip
def test_what_the_shipped_instruments_cover(
    table: TreatyTable, name: str, changes: dict[str, Any], expected: bool | tuple[str, ...]
) -> None:
    assert table.instruments[name].coverage.answer_for_item({**ITEM, **changes}) == expected


def test_the_directive_binds_police_and_customs_only(table: TreatyTable) -> None:
    coverage = table.instruments["EU_2023_977"].coverage
    assert coverage.senders == coverage.receivers == {"POLICE", "CUSTOMS"}


def test_the_conventions_of_the_united_nations_let_exculpatory_information_be_disclosed(table: TreatyTable) -> None:
    names = {name for name, entry in table.instruments.items() if entry.exculpatory_exception}
    assert names == {"UNCAC", "UNTOC", "UNCC"}
