"""The result of a demo: counts by State, and whether they add up."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from sharing.model.vocabulary import Outcome
from sharing.testing.demo.attacks import AttackResult
from sharing.testing.demo.audit import AuditResult, ProofResult
from sharing.testing.demo.conversation import ConversationStep
from sharing.testing.demo.outcome_watcher import DemoTally


@dataclass(frozen=True, slots=True)
class StateReport:
    """Counts for one State.

    Attributes:
        published: Indicators that its agencies published.
        disclosed, offered, held, withheld, quarantined: Outcomes of these indicators; each indicator counts once.
        notices, offers: Notices and offers that it received from other States.
        delivered: Notices that its subscriber handled.
    """

    published: int
    disclosed: int
    offered: int
    held: int
    withheld: int
    quarantined: int
    notices: int
    offers: int
    delivered: int


@dataclass(frozen=True, slots=True)
class DemoReport:
    """Result of a demo.

    Attributes:
        broker: `embedded` or `kafka`.
        seconds: Duration of the demo.
        states: Counts by State.
        decisions_verified: Whether each indicator has one decision, and recomputing it gives the same bytes.
        differing_ids: Ids of the indicators for which this does not hold.
        attacks: With certificates: what was forged, and whether it was refused.
        steps: What officers were asked and answered, and what came of it.
        audit: What the audit logs of all States show.
        proof: With certificates: what came of proving a decision.
    """

    broker: str
    seconds: float
    states: dict[str, StateReport]
    decisions_verified: bool
    differing_ids: tuple[str, ...] = field(default=())
    attacks: tuple[AttackResult, ...] = field(default=())
    steps: tuple[ConversationStep, ...] = field(default=())
    audit: AuditResult = field(default=AuditResult(0, 0, ()))
    proof: ProofResult | None = None

    def total(self, name: str) -> int:
        """Return the sum of one count over all States."""
        return sum(getattr(state_report, name) for state_report in self.states.values())

    @property
    def adds_up(self) -> bool:
        """Whether published = disclosed + offered + held + withheld + quarantined, and notices = delivered."""
        accounted = sum(self.total(name) for name in ("disclosed", "offered", "held", "withheld", "quarantined"))
        return self.total("published") == accounted and self.total("notices") == self.total("delivered")

    @property
    def attacks_refused(self) -> bool:
        """Whether everything that was forged was refused."""
        return all(attack.refused for attack in self.attacks)

    @property
    def conversations_right(self) -> bool:
        """Whether each step of the conversations went as it had to."""
        return all(step.is_right for step in self.steps)

    @property
    def is_right(self) -> bool:
        """Whether everything in it is as it has to be."""
        return (
            self.adds_up
            and self.decisions_verified
            and self.attacks_refused
            and self.conversations_right
            and self.audit.is_verified
            and (self.proof is None or self.proof.holds)
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form that scripts rely on."""
        names = ("published", "disclosed", "offered", "held", "withheld", "quarantined", "delivered")
        report: dict[str, Any] = {
            "broker": self.broker,
            **{name: self.total(name) for name in names},
            "seconds": round(self.seconds, 1),
            "states": {state: asdict(state_report) for state, state_report in self.states.items()},
            "replayed": self.decisions_verified,
            "audit_verified": self.audit.is_verified,
            "conversation": {step.name: step.is_right for step in self.steps},
        }
        if self.proof is not None:
            report["proof_holds"] = self.proof.holds
        if not self.attacks:
            return report
        refused = {
            kind: all(attack.refused for attack in self.attacks if attack.kind == kind)
            for kind in dict.fromkeys(attack.kind for attack in self.attacks)
        }
        return {**report, "refused": refused, "attacks": [attack.to_json() for attack in self.attacks]}


def build_state_reports(
    tally: DemoTally, published: dict[str, int], delivered: dict[str, int]
) -> dict[str, StateReport]:
    """Return the counts of each State that published or received something."""
    states = sorted({*published, *tally.notices, *tally.offers})
    return {
        state: StateReport(
            published=published.get(state, 0),
            disclosed=tally.outcomes[state][Outcome.DISCLOSE],
            offered=tally.outcomes[state][Outcome.OFFER],
            held=tally.outcomes[state][Outcome.HOLD],
            withheld=tally.outcomes[state][Outcome.WITHHOLD],
            quarantined=tally.quarantined[state],
            notices=tally.notices[state],
            offers=tally.offers[state],
            delivered=delivered.get(state, 0),
        )
        for state in states
    }
