"""Two items that every State's police has, each sent to each other State, with all findings as favourable as possible.

What is withheld here is withheld by law, not for a missing answer: an EMERGENCY (a child victim, subscriber data of an
account, a named officer and a reason), and a malware HASH from a search, which names no person.

    python -m tests.law.scenarios [STATE…]    prints each decision and its cause
    python -m tests.law.scenarios --write     writes the tables of docs/divergences.md
"""

from __future__ import annotations

import argparse
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sharing.law.cases.runs import decide_for_recipient
from sharing.model.findings import FINDINGS
from sharing.model.indicator import Indicator
from sharing.model.vocabulary import Effect, Outcome
from sharing.packs.library import Law, find_law

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sharing.model.decision import RecipientDecision

STATES = ("CH", "DE", "NL", "FR", "GB", "US", "CA", "AU", "JP")
PROVIDERS = (*STATES, "EU")
"""The States with a pack, and the template of the Union, as Austria adopts it."""

DOCUMENT = Path(__file__).parents[2] / "docs" / "divergences.md"
BEGIN, END = "<!-- written by: python -m tests.law.scenarios --write -->\n", "<!-- end of the written part -->\n"
TITLES = {
    "EMERGENCY": "An emergency: the subscriber of an account, and a child that is being abused now",
    "HASH": "A technical indicator: the hash of malware that police seized in a search",
}
NOW_MS = 1_780_315_200_000  # 2026-06-01T12:00:00Z

BEFORE = {
    "EMERGENCY": {
        "CH": (0, 0, 8), "DE": (3, 0, 5), "NL": (8, 0, 0), "FR": (6, 0, 2), "GB": (6, 2, 0), "US": (0, 0, 8),
        "CA": (0, 0, 8), "AU": (0, 0, 8), "JP": (0, 0, 8), "EU": (0, 0, 9),
    },
    "HASH": {
        "CH": (0, 0, 8), "DE": (8, 0, 0), "NL": (8, 0, 0), "FR": (8, 0, 0), "GB": (8, 0, 0), "US": (0, 0, 8),
        "CA": (0, 0, 8), "AU": (0, 0, 8), "JP": (0, 0, 8), "EU": (9, 0, 0),
    },
}  # fmt: skip
"""How many of each provider's items left, were held and were withheld under the packs of commit 8129411."""

UNFAVOURABLE = frozenset(
    {
        "arrested_or_charged",
        "designated_information",
        "essential_interest_harm",
        "foreign_criminal_use",
        "judicial_authorisation_needed",
        "live_case_file",
        "mistreatment_substantial_risk",
        "overseas_disclosure_barred",
        "person_safety_harm",
        "prospective_telecom_data",
        "subject_interests_prevail",
        "wpg_10_1_a_data",
        "wpg_10_1_b_data",
        "wpg_10_1_c_data",
    }
)
"""The findings to which NO is the favourable answer."""

_COMMON: dict[str, Any] = {
    "id": "00000000-0000-4000-8000-000000000000",
    "form": "INFORMATION",
    "secrecy_domain": False,
    "special_category": False,
    "assertion": "FACT",
    "grading": {"source": "A", "information": 1},
    "exculpatory": False,
    "us_person": False,
    "enables_request": True,
    "live_case_harm": False,
    "character": [],
}

SCENARIOS: dict[str, dict[str, Any]] = {
    "EMERGENCY": {
        **_COMMON,
        "type": "email-addr",
        "value": "uploader@example.org",
        "offence": {"codes": ["CHILD_ABUSE_MATERIAL"], "max_penalty_years": 10, "organised_group": False},
        "collection": "SUBSCRIBER_DATA",
        "personal_data": True,
        "subject_class": "VICTIM",
        "minor": True,
        "purpose": "PUBLIC_SECURITY",
        "urgency": "EMERGENCY",
        "urgency_reason": "A child is being abused now.",
    },
    "HASH": {
        **_COMMON,
        "type": "file-sha256",
        "value": "a" * 64,
        "offence": {"codes": ["DATA_INTERFERENCE"], "max_penalty_years": 10, "organised_group": False},
        "collection": "SEARCH",
        "personal_data": False,
        "minor": False,
        "purpose": "INVESTIGATION",
        "urgency": "ORDINARY",
    },
}


def get_state(provider: str) -> str:
    """Return the State that provides."""
    return "AT" if provider == "EU" else provider


def write_item(scenario: str, state: str, **changes: Any) -> dict[str, Any]:
    """Return the indicator of a scenario, as the police of a State publish it."""
    return {
        **SCENARIOS[scenario],
        "source": {"state": get_state(state), "agency": "Police", "officer": "o-1", "authority": "POLICE"},
        "findings": {name: name not in UNFAVOURABLE for name in FINDINGS},
        "nexus": [{"state": other, "reason": "concerned"} for other in STATES if other != state],
        **changes,
    }


@cache
def get_law(provider: str) -> Law:
    """Return the law of a provider."""
    return find_law(get_state(provider), None, provider)


def decide_scenario(scenario: str, state: str, recipient: str, **changes: Any) -> RecipientDecision:
    """Decide on the item for one recipient, whose authority is its police."""
    law = get_law(state)
    record = Indicator.parse(write_item(scenario, state, **changes)).to_record()
    return decide_for_recipient(law.pack, law.treaties, record, recipient, "POLICE", NOW_MS, {})


def name_cause(decision: RecipientDecision) -> str:
    """Return the rules that permit, hold or withhold, and the facts that are missing."""
    shown = {Outcome.WITHHOLD: (Effect.DENY,), Outcome.HOLD: (Effect.APPROVAL,)}.get(decision.outcome, (Effect.PERMIT,))
    rules = [rule.id for rule in decision.rules if rule.effect in shown]
    undecided = [f"{entry.rule} lacks {entry.fact}" for entry in decision.undecided]
    return "; ".join(rules + undecided) or "no permission"


@cache
def decide_all(scenario: str) -> dict[tuple[str, str], RecipientDecision]:
    """Return the decision for each provider and recipient."""
    return {
        (provider, recipient): decide_scenario(scenario, provider, recipient)
        for provider in PROVIDERS
        for recipient in STATES
        if recipient != provider
    }


def list_citations(decision: RecipientDecision, effect: Effect) -> list[str]:
    """Return the rules of a decision with an effect, each with its citation."""
    return [f"{rule.citation} (`{rule.id}`)" for rule in decision.rules if rule.effect is effect]


def write_tables() -> str:
    """Return the written part of docs/divergences.md."""
    return "\n".join(line for scenario in SCENARIOS for line in iter_table(scenario))


def iter_table(scenario: str) -> Iterator[str]:
    """Yield the lines of the table of a scenario, and why something is held or withheld."""
    decisions = decide_all(scenario)
    counts = Counter(decision.outcome for decision in decisions.values())
    leaving = counts[Outcome.DISCLOSE] + counts[Outcome.OFFER]
    yield f"### {TITLES[scenario]}\n"
    yield (
        f"Of {len(decisions)} decisions, {leaving} send it ({counts[Outcome.OFFER]} of them after the conditions are "
        f"accepted), {counts[Outcome.HOLD]} ask a person, and {counts[Outcome.WITHHOLD]} withhold it.\n"
    )
    yield "| from | left before | held | withheld | leaves now | is held | is withheld |"
    yield "|---|---|---|---|---|---|---|"
    for provider in PROVIDERS:
        numbers = (*BEFORE[scenario][provider], *count_outcomes(decisions, provider))
        yield f"| {provider} | {' | '.join(map(str, numbers))} |"
    yield ""
    yield f"| from, to | {' | '.join(STATES)} |"
    yield "|---" * (len(STATES) + 1) + "|"
    for provider in PROVIDERS:
        cells = [
            str(decisions[provider, recipient].outcome) if recipient != provider else "\u2013" for recipient in STATES
        ]
        yield f"| {provider} | {' | '.join(cells)} |"
    yield ""
    for outcome, effect in ((Outcome.HOLD, Effect.APPROVAL), (Outcome.WITHHOLD, Effect.DENY)):
        yield from iter_causes(decisions, outcome, effect)


def count_outcomes(decisions: Mapping[tuple[str, str], RecipientDecision], provider: str) -> tuple[int, int, int]:
    """Return for how many recipients the item of a provider leaves, is held, and is withheld."""
    counts = Counter(decision.outcome for (state, _), decision in decisions.items() if state == provider)
    leaving = counts[Outcome.DISCLOSE] + counts[Outcome.OFFER]
    return leaving, counts[Outcome.HOLD], counts[Outcome.WITHHOLD]


def iter_causes(
    decisions: Mapping[tuple[str, str], RecipientDecision], outcome: Outcome, effect: Effect
) -> Iterator[str]:
    """Yield a table of the rules by which something is held or withheld, with the recipients of each."""
    recipients: dict[tuple[str, str], list[str]] = {}
    for (provider, recipient), decision in decisions.items():
        if decision.outcome is outcome:
            cause = "; ".join(list_citations(decision, effect)) or "no rule permits it"
            if decision.approver:
                cause = f"{decision.approver}: {cause}"
            recipients.setdefault((provider, cause), []).append(recipient)
    if recipients:
        yield f"| {outcome} from | to | by |"
        yield "|---|---|---|"
        for (provider, cause), names in recipients.items():
            yield f"| {provider} | {', '.join(names)} | {cause} |"
        yield ""


def split_document(text: str) -> tuple[str, str, str]:
    """Return what stands before, in and after the written part of the document."""
    before, rest = text.split(BEGIN)
    written, after = rest.split(END)
    return before + BEGIN, written, END + after


def main() -> None:
    """Print the decisions, or write the document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("states", nargs="*", metavar="STATE", choices=[*PROVIDERS, []])
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if options.write:
        before, _, after = split_document(DOCUMENT.read_text(encoding="utf-8"))
        DOCUMENT.write_text(before + write_tables() + after, encoding="utf-8")
        return
    for scenario in SCENARIOS:
        for provider in options.states or PROVIDERS:
            for recipient in STATES:
                if recipient != provider:
                    result = decide_scenario(scenario, provider, recipient)
                    print(scenario, provider, recipient, result.outcome, name_cause(result))


if __name__ == "__main__":
    main()
