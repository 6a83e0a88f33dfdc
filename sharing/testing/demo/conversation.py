"""The conversations of the demo: what officers are asked, what they answer, and what leaves because of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from sharing.clients.publisher import Publisher
from sharing.console.conversation_words import REFUSAL_SENTENCES
from sharing.conversation.effects import Overdue
from sharing.conversation.events import TimePassed
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.receiver import advance_received
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer, AskKind, Refusal
from sharing.errors import InfrastructureError
from sharing.ids import make_content_id, make_item_id
from sharing.law.fact_questions import QUESTIONS
from sharing.model.code_words import describe_role
from sharing.model.indicator import Indicator
from sharing.model.times import format_time
from sharing.rulings.facts import RuledFact
from sharing.testing.demo.cluster import DemoCluster
from sharing.testing.demo.desk import DemoDesk, find_refusal
from sharing.testing.demo.scenario import DemoCase, read_conversation_cases
from sharing.testing.demo.standing import ACCEPTING, CONDITION
from sharing.topology.topic_kinds import Role

_MISSING_FACT: Final = "live_case_harm"
_KEPT_CONDITION: Final = "jp.aptcp-14.no-evidence"
_APPROVAL_RULE: Final = "de.stpo-479"


@dataclass(frozen=True, slots=True)
class ConversationStep:
    """One step of a conversation.

    Attributes:
        name: Its name for scripts.
        title: What it shows.
        lines: What happened, in order.
        is_right: Whether that is what had to happen.
    """

    name: str
    title: str
    lines: tuple[str, ...]
    is_right: bool = True


class DemoConversations:
    """Officers of the demo's States, and the items that they rule on.

    Args:
        cluster: The running cluster.
        cases: The demo cases, which have been published and decided.
    """

    def __init__(self, cluster: DemoCluster, cases: list[DemoCase]) -> None:
        self._cluster = cluster
        self._cases = cases
        self._officers = cluster.officers
        self._desks: dict[str, DemoDesk] = {}
        for state in ("CH", "DE", "FR", "JP", "NL"):
            properties = cluster.client_properties(Role.CONSOLE, state)
            find_seal_key = cluster.keys.states[state].find_seal_key
            self._desks[state] = DemoDesk(cluster.bootstrap, state, properties, find_seal_key, cluster.check_gates)

    def run(self) -> Iterator[ConversationStep]:
        """Yield the steps in their order. Those about different items run at the same time."""
        chains: tuple[tuple[Callable[[], ConversationStep], ...], ...] = (
            (self.accept_offer,),
            (self.relax_conditions,),
            (self.approve_held_item,),
            (self.supply_missing_fact,),
            (self.correct_item, self.recall_item, self.chase_recall),
            (self.send_under_standing_acceptance,),
        )
        with ThreadPoolExecutor(len(chains)) as threads:  # they wait for the workers most of the time
            running = [threads.submit(_run_chain, chain) for chain in chains]
            for each in running:
                yield from each.result()

    def accept_offer(self) -> ConversationStep:
        """A State accepts the conditions of an offer, and gets the content."""
        item = self._find_item("Swiss prosecutors find the wallet")
        lines = [self._accept("DE", item)]
        return ConversationStep(
            "accepted", "An offer is accepted", (*lines, self._await_content("DE", item, Revision(1)))
        )

    def relax_conditions(self) -> ConversationStep:
        """A State cannot comply; the other does without a condition that its law does not require."""
        (case,) = read_conversation_cases()
        self._publish(case.indicator)
        item = _make_item_id(case.indicator)
        asked = self._desks["FR"].find_ask(AskKind.ACCEPT, item, "FR")
        self._desks["FR"].answer(self._officers["FR"][0], asked, Answer.CANNOT_COMPLY)
        desk, (first, second) = self._desks["JP"], self._officers["JP"]
        again = desk.find_ask(AskKind.REDECIDE, item, "FR")
        barred = find_refusal(desk.answer(first, again, Answer.RELAX, relaxed=(_KEPT_CONDITION,)))
        desk.answer(second, again, Answer.RELAX, relaxed=(_KEPT_CONDITION,))
        lines = (
            "FR: cannot comply with the conditions",
            f"JP: officer {first.id} is refused ({_describe_refusal(barred)})",
            f"JP: officer {second.id} offers it again under one of the conditions alone ({_KEPT_CONDITION})",
            self._accept("FR", item),
            self._await_content("FR", item, Revision(1)),
        )
        return ConversationStep("relaxed", "Conditions are relaxed", lines, barred == Refusal.BARRED)

    def approve_held_item(self) -> ConversationStep:
        """Somebody else than the publishing officer approves what the law holds."""
        item = self._find_item("A number that German police have")
        desk, (first, second) = self._desks["DE"], self._officers["DE"]
        asked = desk.find_ask(AskKind.APPROVE, item, "CH")
        barred = find_refusal(desk.answer(first, asked, Answer.APPROVED, rule=_APPROVAL_RULE))
        refused = find_refusal(desk.answer(second, asked, Answer.APPROVED, rule=_APPROVAL_RULE))
        lines = (
            f"DE: officer {first.id} is refused ({_describe_refusal(barred)})",
            f"DE: officer {second.id} approves as {describe_role(asked.ask.role or '')}, under {_APPROVAL_RULE}",
            self._accept("CH", item),
            self._await_content("CH", item, Revision(1)),
        )
        return ConversationStep(
            "approved", "A held item is approved", lines, barred == Refusal.BARRED and refused is None
        )

    def supply_missing_fact(self) -> ConversationStep:
        """An officer supplies the fact without which the law withholds an item."""
        item = self._find_item("A Japanese item without an answer")
        desk, officer = self._desks["JP"], self._officers["JP"][0]
        asked = desk.find_ask(AskKind.SUPPLY_FACT, item, "NL")
        facts = (RuledFact(name=_MISSING_FACT, values=("NO",)),)
        refused = find_refusal(desk.answer(officer, asked, Answer.SUPPLIED, facts=facts))
        lines = (
            *(f"JP: is asked: {QUESTIONS.get(fact, fact)}" for fact in sorted(asked.ask.facts)),
            f"JP: officer {officer.id} answers no; the gate decides again",
            self._await_content("NL", item, Revision(1, 1)),
        )
        return ConversationStep("facts_supplied", "A missing fact is supplied", lines, refused is None)

    def correct_item(self) -> ConversationStep:
        """A new version reaches every State that has the old one."""
        indicator = self._find_case("A command-and-control server").indicator
        self._publish(_revise(indicator, 2, "SUPERSEDE", summary="Also seen with a second campaign (sample)."))
        item = _make_item_id(indicator)
        lines = tuple(self._await_content(state, item, Revision(2)) for state in ("DE", "NL"))
        return ConversationStep("corrected", "An item is corrected", ("CH publishes version 2", *lines))

    def recall_item(self) -> ConversationStep:
        """A withdrawn item is recalled: one State acknowledges, and the other does not."""
        indicator = self._find_case("A command-and-control server").indicator
        self._publish(_revise(indicator, 3, "WITHDRAW", reason="The server was attributed wrongly (sample)."))
        item = _make_item_id(indicator)
        asked = self._desks["NL"].find_ask(AskKind.ACK_RECALL, item, "NL")
        self._desks["NL"].answer(self._officers["NL"][0], asked, Answer.ACKNOWLEDGED)
        entry = self._await_entry("NL", item, lambda kept: all(copy.is_recall for copy in kept.inbox), "deletes it")
        lines = (
            "CH withdraws the item: its States are told not to use it any more",
            "NL: acknowledges, and its copies are deleted",
        )
        return ConversationStep("recalled", "An item is recalled", lines, entry.recalled == Revision(2))

    def chase_recall(self) -> ConversationStep:
        """The other State does not acknowledge: what its worker does then is computed, because it takes days."""
        item = _make_item_id(self._find_case("A command-and-control server").indicator)
        silent = self._desks["DE"].find_ask(AskKind.ACK_RECALL, item, "DE")
        kept = self._await_entry("DE", item, lambda _: True, "has the recall")
        _, effects = advance_received(kept, TimePassed(), silent.ask.closes_at)
        lines = (
            "DE: does not acknowledge",
            f"DE: at {format_time(silent.ask.closes_at)} it is asked again, with an alert (computed, not waited for)",
        )
        is_chased = any(isinstance(effect, Overdue) for effect in effects)
        return ConversationStep("overdue", "A recall is overdue", lines, is_chased)

    def send_under_standing_acceptance(self) -> ConversationStep:
        """What a State has accepted beforehand leaves at once in an emergency, without being offered."""
        indicator = self._find_case("Swiss prosecutors find the wallet").indicator
        emergency = _revise(
            indicator, 1, "PUBLISH", id=make_content_id("emergency"), urgency="EMERGENCY",
            urgency_reason="The hospital pays today (sample).",
            source={**indicator.source.model_dump(mode="json", exclude_none=True), "officer": "ch-4711"},
        )  # fmt: skip
        self._publish(emergency)
        item = _make_item_id(emergency)
        lines = (
            f"{ACCEPTING}: officer {self._officers[ACCEPTING][0].id} has accepted {CONDITION} beforehand",
            self._await_content(ACCEPTING, item, Revision(1)),
        )
        received = self._await_entry(ACCEPTING, item, lambda _: True, "has it")
        return ConversationStep("standing", "An emergency leaves under a standing acceptance", lines, not received.asks)

    def _accept(self, state: str, item: str) -> str:
        desk, officer = self._desks[state], self._officers[state][0]
        asked = desk.find_ask(AskKind.ACCEPT, item, state)
        refused = find_refusal(desk.answer(officer, asked, Answer.ACCEPTED))
        if refused is not None:
            raise InfrastructureError(f"the worker of {state} refuses the acceptance of an offer: {refused}")
        return f"{state}: officer {officer.id} accepts the conditions"

    def _await_content(self, state: str, item: str, revision: Revision) -> str:
        self._await_entry(state, item, lambda kept: kept.revision >= revision, f"gets version {revision.version}")
        return f"{state}: the content of version {revision.version} is in the inbox"

    def _await_entry(
        self, state: str, item: str, is_reached: Callable[[ReceivedItem], bool], description: str
    ) -> ReceivedItem:
        return self._desks[state].find_received(item, is_reached, f"{state} {description}")

    def _find_case(self, start: str) -> DemoCase:
        return next(case for case in self._cases if case.title.startswith(start))

    def _find_item(self, start: str) -> str:
        return _make_item_id(self._find_case(start).indicator)

    def _publish(self, indicator: Indicator) -> None:
        source = indicator.source
        properties = self._cluster.client_properties(Role.AGENCY, source.state)
        with Publisher(
            self._cluster.bootstrap, source.state, source.agency, properties=properties, pins=self._cluster.keys.pins
        ) as publisher:
            publisher.publish(indicator)


def _run_chain(chain: Iterable[Callable[[], ConversationStep]]) -> list[ConversationStep]:
    return [run_step() for run_step in chain]


def _describe_refusal(refusal: str | None) -> str:
    """Return why a ruling was refused, in words."""
    return "not refused" if refusal is None else REFUSAL_SENTENCES[Refusal(refusal)]


def _make_item_id(indicator: Indicator) -> str:
    return make_item_id(indicator.source.state, indicator.source.agency, str(indicator.id))


def _revise(indicator: Indicator, version: int, action: str, **changes: Any) -> Indicator:
    fields: Mapping[str, Any] = indicator.model_dump(mode="json", exclude_none=True)
    return Indicator.parse({**fields, "version": version, "action": action, **changes})
