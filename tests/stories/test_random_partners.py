"""Random States: any of them publishes, answers, is silent, stands still or lies, in any order; the rules hold."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from typing import Any, ClassVar

from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.conversation.vocabulary import Answer, AskKind
from sharing.ids import make_ask_id
from sharing.model.vocabulary import MessageKind
from sharing.rulings.facts import RuledFact
from sharing.rulings.vocabulary import OpeningKind
from tests.stories.bus import PARTITIONS
from tests.stories.cases import DUTCH_FINDINGS, MORNING, NOT_PERSONAL, SWISS_FINDINGS, make_item
from tests.stories.hostile import HostileState
from tests.stories.people import PARTS, Answering
from tests.stories.states import PutQuestion, State
from tests.stories.world import World

EXAMPLES = max(5, int(os.environ.get("SHARING_EXAMPLES", "100")) // 10)
PROVIDERS = ("CH", "NL")
HOURS = 60.0
DAYS = 24 * HOURS
AT_LAST = {
    AskKind.ACK_RECALL: Answer.ACKNOWLEDGED, AskKind.CONFIRM_IN_WRITING: Answer.CONFIRMED,
}  # fmt: skip
"""What must be answered, however late."""

GERMAN, DUTCH = {"value": "DE89370400440532013000"}, {"value": "NL91ABNA0417164300"}
SEEN = {"nexus": [{"state": state, "reason": "seen there"} for state in ("DE", "CH", "NL", "US")]}
KINDS: dict[str, tuple[dict[str, Any], ...]] = {
    "CH": (
        {**GERMAN, "findings": SWISS_FINDINGS},
        {**DUTCH, "findings": SWISS_FINDINGS},
        {**GERMAN, "findings": SWISS_FINDINGS, "collection": "SUBSCRIBER_DATA"},
        {**NOT_PERSONAL, **SEEN, "collection": "OPEN_SOURCE"},
        {**NOT_PERSONAL, **SEEN, "personal_data": True, "findings": SWISS_FINDINGS},
    ),
    "NL": (
        {**GERMAN, "findings": DUTCH_FINDINGS},
        {**NOT_PERSONAL, **SEEN, "findings": DUTCH_FINDINGS},
        {**NOT_PERSONAL, **SEEN, "findings": DUTCH_FINDINGS, "live_case_harm": None},
        {**NOT_PERSONAL, **SEEN, "findings": DUTCH_FINDINGS, "personal_data": True},
        {**GERMAN, "collection": "TRAFFIC_DATA", "findings": DUTCH_FINDINGS},
    ),
}
"""Offered, held, disclosed at once, and withheld because a fact is missing."""

URGENCIES: tuple[dict[str, Any], ...] = (
    {}, {"urgency": "URGENT"}, {"urgency": "EMERGENCY", "urgency_reason": "a life is at stake"},
)  # fmt: skip


STEPS = (
    "publish", "publish", "publish_again", "step", "step", "settle", "answer", "answer", "answer", "order", "lie",
    "stand_still", "lose_memory", "pass_time",
)  # fmt: skip
"""What may happen next: methods of a course."""


@dataclass(repr=False)
class Course:
    """What happens in one example.

    Attributes:
        batch_sizes: How many records a worker may process in one batch; one of these is drawn for an example.
    """

    batch_sizes: ClassVar[tuple[tuple[int, ...], ...]] = ((1,), (1, 2, 3), (2, 5, 20))
    data: st.DataObject
    world: World = field(init=False)
    published: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    ids: dict[tuple[str, int], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.world = World({"CH": "POLICE", "NL": "POLICE", "DE": "POLICE", "US": "POLICE"}, MORNING)
        self.hostile = HostileState(self.world["US"])
        chance = random.Random(self.draw(st.integers(0, 999)))
        copies = self.draw(st.sampled_from([(1,), (1, 1, 2), (2, 3)]))
        self.world.bus.twist = lambda _, output: (
            chance.choice(copies) if output.topic.startswith("exchange.") or output.topic.endswith("rulings") else 1
        )
        self.world.choose = chance.choice
        sizes = self.draw(st.sampled_from(self.batch_sizes))
        for state in self.world.states.values():
            state.reader.choose = chance.choice
            state.choose_size = lambda: chance.choice(sizes)

    def draw(self, strategy: st.SearchStrategy[Any]) -> Any:
        return self.data.draw(strategy)

    def publish(self) -> None:
        """Publish an item, or a further version of one."""
        provider, number = self.draw(st.sampled_from(PROVIDERS)), self.draw(st.integers(0, 1))
        version = self.published.get((provider, number), {"version": 0})["version"] + 1
        actions = ["PUBLISH"] if version == 1 else ["SUPERSEDE", "PUBLISH", "WITHDRAW"]
        action = self.draw(st.sampled_from(actions))
        changes = {**self.draw(st.sampled_from(KINDS[provider])), **self.draw(st.sampled_from(URGENCIES))}
        changes |= {"version": version, "action": action} | ({"reason": "wrong"} if action == "WITHDRAW" else {})
        self._publish(provider, number, changes)

    def publish_again(self) -> None:
        """Publish a version again; a first one perhaps with other content, which an agency must not do.

        Its urgency stays, and until when it may be kept: both sides go by them.
        """
        if not self.published:
            return
        provider, number = place = self.draw(st.sampled_from(sorted(self.published)))
        changes = self.published[place]
        if changes["version"] == 1 and self.draw(st.booleans()):
            kept = {name: value for name, value in changes.items() if name.startswith(("urgency", "retain"))}
            changes = {**self.draw(st.sampled_from(KINDS[provider])), **kept, "version": 1, "action": "PUBLISH"}
        self._publish(provider, number, changes)

    def _publish(self, provider: str, number: int, changes: dict[str, Any]) -> None:
        self.published[provider, number] = changes
        form = {
            name: value for name, value in make_item(provider, "POLICE", number, **changes).items() if value is not None
        }
        self.ids[provider, number] = self.world[provider].publish(form, self.get_partition(number))

    def get_partition(self, number: int) -> int:
        return PARTITIONS[number % len(PARTITIONS)]

    def step(self) -> None:
        for _ in range(self.draw(st.integers(1, 6))):
            self.world._step()

    def settle(self) -> None:
        self.world.settle()

    def answer(self) -> None:
        """Let any officer of a State give any answer to any question."""
        if self.draw(st.booleans()):
            self.world.settle()
        questions = [(state, each) for state in self.world.states.values() for each in state.list_questions()]
        if questions:
            state, question = self.draw(st.sampled_from(questions))
            releasing = next(iter(question.ask.row.answers))
            given = self.draw(st.sampled_from([releasing, *question.ask.row.answers]))
            self._answer(state, question, given, self.draw(st.sampled_from("1223")))

    def _answer(self, state: State, question: PutQuestion, given: Answer, officer: str) -> None:
        parts = dict(PARTS.get(given, {}))
        if given is Answer.SUPPLIED:
            parts = {"facts": (RuledFact(name="live_case_harm", values=("NO",)),)}
        state.answer(question, given, officer, **parts)

    def order(self) -> None:
        """Let an officer recall, correct or withdraw an item unasked."""
        if self.ids:
            (provider, number), item = self.draw(st.sampled_from(sorted(self.ids.items())))
            opens = self.draw(st.sampled_from(OpeningKind))
            facts = (RuledFact(name="assertion", values=("ASSESSMENT",)),) if opens is OpeningKind.CORRECTION else ()
            self.world[provider].open(opens, item, self.get_partition(number), facts=facts)

    def lie(self) -> None:
        """Let a State say what it was not asked, and accept or acknowledge for others."""
        if not self.ids:
            return
        (provider, _), item = self.draw(st.sampled_from(sorted(self.ids.items())))
        kind, given = self.draw(
            st.sampled_from([(AskKind.ACCEPT, Answer.ACCEPTED), (AskKind.ACK_RECALL, Answer.ACKNOWLEDGED)])
        )
        place = f"{self.draw(st.integers(1, 2))}.0/{self.draw(st.sampled_from(['DE', 'CH', 'NL']))}"
        fields = self.hostile.make_answer(provider, item, make_ask_id(item, kind, place, 1), given)
        if not self._is_said(fields["id"]):
            self.hostile.send(MessageKind.REPLY, "replies", fields, to_state=provider)

    def _is_said(self, message: str) -> bool:
        return any(each.fields["id"] == message for each in self.world.invariants.messages)

    def stand_still(self) -> None:
        """Let a worker stop, or go on."""
        state = self.world[self.draw(st.sampled_from(["CH", "NL", "DE", "US"]))]
        state.is_running = not state.is_running
        if state.is_running:
            self.world.act_when_due()

    def lose_memory(self) -> None:
        self.world[self.draw(st.sampled_from(["CH", "NL", "DE", "US"]))].restart()

    def pass_time(self) -> None:
        self.world.pass_time(self.draw(st.sampled_from([1, 1 * HOURS, 2.1 * HOURS, 1 * DAYS, 2.1 * DAYS])))

    def finish(self) -> None:
        """Go on until nothing is open: what must be answered is, and everything else runs out."""
        for state in self.world.states.values():
            state.is_running = True
        self.world.act_when_due()
        self.world.people |= {state: Answering(AT_LAST) for state in self.world.states}
        for _ in range(3):
            self.world.pass_time(31 * DAYS)
        for state in self.world.states.values():
            assert state.list_questions() == [], f"something is open in {state.code} for ever"
            asked = [ask for _, kept in state.list_kept() for ask in _list_asks(kept) if ask.is_open]
            assert asked == [], f"{state.code} waits for ever"


def _list_asks(kept: Any) -> list[Any]:
    return list(getattr(kept, "conversation", kept).asks.values())


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_whatever_states_do_the_rules_hold_and_everything_ends(data: st.DataObject) -> None:
    course = Course(data)
    course.publish()
    for name in data.draw(st.lists(st.sampled_from(STEPS), min_size=12, max_size=30)):
        getattr(course, name)()
    course.finish()
