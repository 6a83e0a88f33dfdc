"""States in the test's process: agencies that publish, officers who rule, and a worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from processors.exactly_once.batch import OutputRecord
from sharing.conversation.asks import Ask
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation_state.entries import KeptConversation
from sharing.disclosure.decided import read_recipient
from sharing.ids import make_item_id
from sharing.model.decision import RecipientDecision
from sharing.model.indicator import Indicator
from sharing.model.times import MINUTE_MS
from sharing.rulings.asked_terms import find_own_terms
from sharing.rulings.ruling import Answering, AskReference, Opening, Ruling
from sharing.rulings.signing import assemble_ruling, compute_ruling_challenge, sign_ruling
from sharing.serialization.codec import get_codec
from sharing.topology.topics import (
    INDICATORS,
    RULINGS,
)
from tests.stories.worker import StateWorker, get_phone
from tests.trust.trust_fixtures import make_signer

_AT_THE_DESK = "2"
"""The officer of each State who signs by passkey; the others sign with keys."""


@dataclass(frozen=True)
class PutQuestion:
    """A question to the people of a State, with what an answer to it must name."""

    ask: Ask
    provider: str
    item: str
    partition: int
    rule: str | None
    conditions_hash: str | None


class State(StateWorker):
    """A State with its people."""

    def publish(self, form: Mapping[str, Any], partition: int = 0) -> str:
        """Let an agency publish an indicator; return the id of the item."""
        indicator = Indicator.parse(dict(form))
        record = indicator.to_record()
        output = OutputRecord(
            INDICATORS.topic(self.code), record["id"].encode(), get_codec("indicator").encode(record), None, partition
        )
        self.bus.write(self.code, [output])
        return make_item_id(self.code, indicator.source.agency, record["id"])

    def list_questions(self) -> list[PutQuestion]:
        """Return the open questions that this State's own people are asked."""
        found = []
        for partition, kept in self.list_kept():
            if isinstance(kept, ReceivedItem):
                found += [
                    PutQuestion(ask, kept.from_state, kept.item, partition, None, kept.conditions.get(ask.id))
                    for ask in kept.asks.values()
                    if ask.is_open
                ]
            else:
                found += [
                    self._describe(kept, ask, partition)
                    for ask in kept.conversation.asks.values()
                    if ask.is_open and ask.state == self.code
                ]
        return found

    def _describe(self, kept: KeptConversation, ask: Ask, partition: int) -> PutQuestion:
        value = kept.drafts.get(kept.conversation.revision)
        recipients: tuple[RecipientDecision, ...] = ()
        if value is not None:
            opened = get_codec("draft").decode(self._drafts.open_kept(value))
            recipients = tuple(map(read_recipient, opened["recipients"]))
        terms = find_own_terms(kept.conversation, ask, recipients)
        return PutQuestion(
            ask, self.code, kept.conversation.item, partition, terms.rule, terms.conditions_hash
        )  # fmt: skip

    def answer(self, question: PutQuestion, given: Any, officer: str = "2", **parts: Any) -> None:
        """Let an officer answer a question."""
        ask = question.ask
        reference = AskReference(
            ask=ask.id, nonce=ask.nonce, provider=question.provider, item=question.item, partition=question.partition
        )
        fields: dict[str, Any] = {
            "asks": (reference,), "about": ask.kind, "recipients": tuple(sorted(ask.recipients)),
            "rule": question.rule, "answer": given, "conditions_hash": question.conditions_hash, **parts,
        }  # fmt: skip
        self.rule(Answering(**fields), question.partition, officer)

    def open(self, opens: Any, item: str, partition: int = 0, officer: str = "2", **parts: Any) -> None:
        """Let an officer begin a recall, a correction or a withdrawal of an item of this State."""
        self.rule(Opening(opens=opens, provider=self.code, item=item, partition=partition, **parts), partition, officer)

    def rule(self, act: Any, partition: int, officer: str = "2") -> None:
        officer_id, now = f"{self.code.lower()}-{officer}", self.bus.now
        ruling = Ruling(
            state=self.code, officer=officer_id, signed_at=now, expires_at=now + 30 * MINUTE_MS,
            text="as the law asks", act=act,
        )  # fmt: skip
        if officer == _AT_THE_DESK:
            value = assemble_ruling(ruling, get_phone(officer_id).sign(compute_ruling_challenge(ruling)))
        else:
            value = sign_ruling(ruling, make_signer(f"officer {officer_id}"))
        self.bus.write(self.code, [OutputRecord(RULINGS.topic(self.code), b"item", value, None, partition)])
