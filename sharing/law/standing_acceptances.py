"""Standing acceptances, evaluated in the provider's gate: what was accepted beforehand is sent at once.

They only change an OFFER to a DISCLOSE: what the law withholds stays withheld, and what it holds for an
approver waits for the approver. All conditions of the offer must be covered, each with its exact text, by acceptances
in force for items of this kind. What is unknown about the item is not covered. The conditions bind as before; the
decision, the draft and the notice cite the acceptances as a rule of the bus.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sharing.law.bus_rules import make_accepted_rule
from sharing.law.fact_values import Facts
from sharing.model.decision import RecipientDecision, Verdict
from sharing.model.recipient_terms import RecipientTerms
from sharing.model.standing_acceptance import StandingAcceptance, hash_condition_text
from sharing.model.vocabulary import Outcome

_OFFENCES, _URGENCY = "offence.codes", "urgency"
ACCEPTANCE_FACTS: Final = frozenset({_OFFENCES, _URGENCY})
"""The facts of an item that determine whether an acceptance applies to it."""


@dataclass(frozen=True, slots=True)
class StandingAcceptances:
    """The acceptances in force that other States have given beforehand to one providing State.

    Attributes:
        by_state: The acceptances, by accepting State.
    """

    by_state: Mapping[str, Sequence[StandingAcceptance]]

    def concerns(self, verdict: Verdict) -> bool:
        """Return whether a State with acceptances would get an offer."""
        return any(each.outcome is Outcome.OFFER and each.state in self.by_state for each in verdict.recipients)

    def apply(self, verdict: Verdict, item: Facts) -> Verdict:
        """Return a verdict in which offers whose conditions were all accepted beforehand are disclosed.

        Args:
            verdict: The verdict of the law and of the bus.
            item: The facts of the item. An absent fact is unknown.
        """
        recipients = tuple(self._apply_to(each, item) for each in verdict.recipients)
        if all(after is before for after, before in zip(recipients, verdict.recipients, strict=True)):
            return verdict
        return Verdict.from_recipients(recipients)

    def _apply_to(self, recipient: RecipientDecision, item: Facts) -> RecipientDecision:
        terms = recipient.terms
        acceptances = self.by_state.get(recipient.state)
        if acceptances is None or terms.outcome is not Outcome.OFFER:
            return recipient
        cited = _find_covering(terms, [each for each in acceptances if _holds_for(each, item)])
        if not cited:
            return recipient
        rules = (*terms.rules, make_accepted_rule(cited))
        return recipient._replace(terms=replace(terms, outcome=Outcome.DISCLOSE, rules=rules))


def _holds_for(acceptance: StandingAcceptance, item: Facts) -> bool:
    """Return whether an acceptance is about items such as this one: all of its offences, and its urgency."""
    offences, urgency = item.get(_OFFENCES), item.get(_URGENCY)
    return (
        isinstance(offences, frozenset)
        and bool(offences)
        and offences.issubset(acceptance.offences)
        and isinstance(urgency, str)
        and urgency in acceptance.urgency
    )


def _find_covering(terms: RecipientTerms, acceptances: Sequence[StandingAcceptance]) -> tuple[str, ...]:
    """Return the ids of the acceptances that together cover all conditions; none if a condition is not covered."""
    cited: set[str] = set()
    for condition in terms.conditions:
        text_hash = hash_condition_text(condition.text)
        covering = [
            each.id
            for each in acceptances
            if any(accepted.code == condition.code and accepted.text_hash == text_hash for accepted in each.conditions)
        ]
        if not covering:
            return ()
        cited.add(min(covering))
    return tuple(sorted(cited))
