"""The authority that an item is addressed to: chosen by competence, before the law is asked."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from sharing.errors import InputError
from sharing.law import authorities as authorities_module
from sharing.law.authorities import choose_authority, find_authority_kind
from sharing.law.fact_values import NONE
from sharing.law.filter import DisclosureFilter
from sharing.law.reading.pack_reader import parse_pack
from sharing.model.decision import Decision
from sharing.model.directory import CompetentAuthority, Directory, DirectoryEntry
from sharing.model.relevance_reason import Reason
from sharing.model.vocabulary import Outcome, RelevanceKind
from sharing.relevance.audience import Audience
from tests.law.shipped import load_items
from tests.law.strategies import COMMON_RULES, DAY, DAYS, NOW_MS, TREATIES, dump_yaml

RECORD: dict[str, Any] = {**load_items("CH")[0].record(), "form": "INFORMATION", "action": "PUBLISH", "nexus": []}
CODES = frozenset({"ILLEGAL_ACCESS", "LAUNDERING"})


def make_authority(name: str, kind: str, offences: tuple[str, ...] = (), senders: tuple[str, ...] = ()) -> Any:
    competence = {"offences": offences, "from": senders}
    return CompetentAuthority.model_validate({"name": name, "kind": kind, "competence": competence})


POLICE, PROSECUTOR, FIU = (make_authority(kind, kind) for kind in ("POLICE", "PROSECUTOR", "FIU"))


@pytest.mark.parametrize(
    ("authorities", "sender", "chosen"),
    [
        ([POLICE, PROSECUTOR], "PROSECUTOR", "PROSECUTOR"),  # of the sender's own kind, although it is not the first
        ([POLICE, PROSECUTOR], "COURT", "POLICE"),  # otherwise in the State's own order
        ([PROSECUTOR, POLICE], "COURT", "PROSECUTOR"),
        ([make_authority("a", "POLICE"), make_authority("b", "POLICE")], "POLICE", "a"),
        ([make_authority("a", "FIU", ("LAUNDERING",)), POLICE], "POLICE", "POLICE"),
        ([make_authority("a", "FIU", ("LAUNDERING",)), POLICE], "COURT", "a"),  # one stated offence is enough
        ([make_authority("a", "FIU", ("COPYRIGHT",)), POLICE], "FIU", "POLICE"),
        ([make_authority("a", "POLICE", (), ("CUSTOMS", "COURT")), PROSECUTOR], "POLICE", "PROSECUTOR"),
        ([make_authority("a", "POLICE", (), ("CUSTOMS", "COURT")), PROSECUTOR], "COURT", "a"),
        ([make_authority("a", "POLICE", ("COPYRIGHT",)), make_authority("b", "FIU", (), ("FIU",))], "POLICE", None),
        ([], "POLICE", None),
    ],
)
def test_the_competent_authority_of_the_senders_kind_is_chosen(
    authorities: list[CompetentAuthority], sender: str, chosen: str | None
) -> None:
    found = choose_authority(authorities, CODES, sender)
    assert (found.name if found else None) == chosen


def test_the_choice_does_not_know_the_law() -> None:
    assert list(inspect.signature(choose_authority).parameters) == ["authorities", "codes", "sender"]
    assert "sharing.law.pack" not in inspect.getsource(authorities_module)


@pytest.mark.parametrize(
    ("authorities", "codes", "sender", "kind"),
    [
        (None, CODES, "POLICE", None),  # no entry
        ((), CODES, "POLICE", NONE),
        ((make_authority("a", "UNKNOWN"),), CODES, "POLICE", None),
        ((POLICE,), None, None, "POLICE"),  # whatever is missing, it is the only one
        ((POLICE, PROSECUTOR), CODES, None, None),  # depends on the sender
        ((make_authority("a", "FIU", ("LAUNDERING",)), POLICE), None, "COURT", None),  # depends on the offence
    ],
)
def test_the_kind_is_unknown_if_it_depends_on_what_is_missing(
    authorities: Any, codes: Any, sender: str | None, kind: str | None
) -> None:
    assert find_authority_kind(authorities, codes, sender) == kind


def decide(authorities: list[CompetentAuthority], *rules: dict[str, Any], sender: str = "PROSECUTOR") -> Any:
    """Return the decision of a pack for a State with these authorities."""
    data = {
        "state": "CH", "version": "1", "title": "t", "disclaimer": "d", "consolidated_at": DAY, "maintainers": [],
        "treaty_preference": ["BUDAPEST"], "approvers": {},
        "assessments": [
            {"states": ["US"], "date": DAYS[0], "source": "K",
             "facts": {"mistreatment_risk": False, "persecution_risk": False}}
        ],
        "rules": [
            {"id": f"t.{number}", "citation": "c", "nature": "statute", "paraphrase": "p", "source": "K",
             "verified": True, "valid": {"from": DAYS[0]}, "effect": "PERMIT", **rule}
            for number, rule in enumerate(rules)
        ],
    }  # fmt: skip
    pack = parse_pack(dump_yaml(data), "ch.yaml", TREATIES["small"], COMMON_RULES["shipped"])
    law = DisclosureFilter(pack, TREATIES["small"], DAY, {"US": tuple(authorities)})
    record = {**RECORD, "source": {**RECORD["source"], "authority": sender}}
    audience = Audience([("US", (Reason(RelevanceKind.NEXUS_STATED, "named"),))])
    (decision,) = law.decide(record, audience, NOW_MS).recipients
    return decision


def test_a_police_contact_point_does_not_close_rules_between_prosecutors() -> None:
    between_prosecutors = {"when": {"source.authority": "PROSECUTOR", "recipient.authority": "PROSECUTOR"}}
    assert decide([POLICE], between_prosecutors).outcome is Outcome.WITHHOLD
    decision = decide([POLICE, PROSECUTOR], between_prosecutors)
    assert (decision.outcome, decision.to_authority) == (Outcome.DISCLOSE, "PROSECUTOR")


def test_a_laxer_law_does_not_change_the_choice() -> None:
    decision = decide([PROSECUTOR, POLICE], {"when": {"recipient.authority": "POLICE"}})
    assert (decision.outcome, decision.to_authority) == (Outcome.WITHHOLD, "PROSECUTOR")


def test_without_a_competent_authority_the_item_is_withheld_with_that_reason() -> None:
    decision = decide([make_authority("a", "POLICE", ("COPYRIGHT",))], {"when": {"recipient.authority": "POLICE"}})
    assert (decision.outcome, decision.to_authority) == (Outcome.WITHHOLD, None)
    assert "common.authority-known" in {rule.id for rule in decision.rules}
    assert "recipient.authority" not in {entry.fact for entry in decision.undecided}


def test_the_decision_names_the_authority_in_json_and_in_the_record() -> None:
    decision = decide([FIU], {"when": {}})
    reference = parse_pack_reference()
    record = Decision("id", 1, 0, "CH", reference, "v", (decision,)).to_record()
    assert record["recipients"][0]["to_authority"] == "FIU"


def parse_pack_reference() -> Any:
    return DisclosureFilter(load_pack(), TREATIES["small"], DAY, {}).pack.reference


def load_pack() -> Any:
    data = {
        "state": "CH", "version": "1", "title": "t", "disclaimer": "d", "consolidated_at": DAY, "maintainers": [],
        "treaty_preference": [], "approvers": {},
        "rules": [{"id": "t.0", "citation": "c", "nature": "statute", "paraphrase": "p", "source": "K",
                   "verified": True, "valid": {"from": DAYS[0]}, "when": {}, "effect": "RECORD"}],
    }  # fmt: skip
    return parse_pack(dump_yaml(data), "ch.yaml", TREATIES["small"], COMMON_RULES["small"])


ENTRY: dict[str, Any] = {"state": "NL", "announced_at": "2026-01-15T08:00:00Z"}


def test_an_entry_has_at_least_one_authority_each_of_a_known_competence() -> None:
    with pytest.raises(InputError, match="authorities"):
        DirectoryEntry.parse(ENTRY)
    with pytest.raises(InputError, match="authorities"):
        DirectoryEntry.parse({**ENTRY, "authorities": []})
    authority = {"name": "n", "kind": "POLICE", "competence": {"offences": ["LAUNDERIN"]}}
    with pytest.raises(InputError, match=r"offences.*did you mean"):
        DirectoryEntry.parse({**ENTRY, "authorities": [authority]})


def test_another_competence_is_another_version_of_the_directory() -> None:
    versions = {
        Directory({"NL": DirectoryEntry.parse({**ENTRY, "authorities": [authority]})}).get_version(NOW_MS)
        for authority in (
            {"name": "n", "kind": "POLICE"},
            {"name": "n", "kind": "POLICE", "competence": {"from": ["FIU"]}},
            {"name": "n", "kind": "POLICE", "competence": {"offences": ["LAUNDERING"]}},
        )
    }
    assert len(versions) == 3
