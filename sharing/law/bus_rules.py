"""Rules of the bus itself, which no law pack can change: they withhold what the bus must not send at present.

They apply after the law, and only ever withhold. Unlike the common rules of all packs, they depend on what only the
worker knows: earlier versions of an item, and the topics of the cluster. One of them does not restrict: it cites what
was accepted before it was offered (`sharing.law.standing_acceptances`).
"""

from __future__ import annotations

from collections.abc import Collection

from sharing.model.decision import RecipientDecision, Verdict
from sharing.model.recipient_terms import RecipientTerms, RuleReference
from sharing.model.vocabulary import Effect, Outcome

NO_TOPICS = RuleReference("bus.no-topics", "Rule of the bus (the State has no topics on this cluster)", Effect.DENY)


def make_superseded_rule(version: int, amendment: int = 0) -> RuleReference:
    """Return the rule that withholds an item because a later revision of it was processed before.

    Args:
        version: The later version.
        amendment: Number of the amendment of that version; 0 for what the agency published.
    """
    later = _describe_revision(version, amendment)
    return RuleReference("bus.superseded", f"Rule of the bus (superseded by {later})", Effect.DENY)


def make_withdrawn_rule(version: int, amendment: int = 0) -> RuleReference:
    """Return the rule that withholds an item because a later revision of it withdrew the item.

    Args:
        version: The later version.
        amendment: Number of the amendment of that version; 0 for what the agency published.
    """
    later = _describe_revision(version, amendment)
    return RuleReference("bus.withdrawn", f"Rule of the bus (withdrawn by {later})", Effect.DENY)


def make_accepted_rule(acceptances: Collection[str]) -> RuleReference:
    """Return the rule that names the standing acceptances under which an item is sent instead of offered.

    Args:
        acceptances: Their ids.
    """
    return RuleReference(
        "bus.standing-acceptance",
        f"Rule of the bus (accepted beforehand: {', '.join(acceptances)})",
        Effect.RECORD,
    )


def withhold(verdict: Verdict, rule: RuleReference, states: Collection[str] | None = None) -> Verdict:
    """Return the verdict with the item withheld from some States by a rule of the bus.

    Args:
        verdict: The verdict of the law.
        rule: The rule that withholds.
        states: The States from which to withhold; None for every recipient.
    """
    recipients = tuple(
        RecipientDecision(recipient.state, recipient.relevance, _withhold_terms(recipient.terms, rule))
        if states is None or recipient.state in states
        else recipient
        for recipient in verdict.recipients
    )
    return Verdict.from_recipients(recipients)


def _describe_revision(version: int, amendment: int) -> str:
    return f"amendment {amendment} of version {version}" if amendment else f"version {version}"


def _withhold_terms(terms: RecipientTerms, rule: RuleReference) -> RecipientTerms:
    withheld_before = terms.outcome is Outcome.WITHHOLD
    return RecipientTerms(
        outcome=Outcome.WITHHOLD,
        basis=terms.basis,
        condition_model=terms.condition_model,
        rules=(rule, *(terms.rules if withheld_before else ())),
        undecided=terms.undecided,
        conditions=(),
        approver=None,
        is_obligatory=terms.is_obligatory,
        redacted=(),
        to_authority=terms.to_authority,
    )
