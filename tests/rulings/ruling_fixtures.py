"""Officers, keys and strategies of rulings, for the tests of them."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import strategies as st

from sharing.conversation.asks import Officer
from sharing.conversation.kinds import KINDS
from sharing.conversation.vocabulary import Answer, AskKind
from sharing.law.facts import FACTS, FactKind
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import Authority
from sharing.passkeys.cose_key import PasskeyAlgorithm
from sharing.passkeys.passkey import Passkey
from sharing.rulings.answer_parts import ANSWER_PARTS
from sharing.rulings.cover_ending import EndingCover
from sharing.rulings.facts import FACT_NAMES, RuledFact
from sharing.rulings.ruling import Answering, AskReference, Claiming, Opening, PassingOn, Ruling
from sharing.rulings.signing import (
    VerifiedRuling,
    assemble_ruling,
    compute_ruling_challenge,
    sign_ruling,
    verify_ruling,
)
from sharing.rulings.vocabulary import FAULT_SENTENCES, OpeningKind, RefusalGround, RulingError, RulingFault
from sharing.trust.public_keys import PublishedKey
from tests.support.soft_authenticator import SoftAuthenticator
from tests.trust.trust_fixtures import NOW, make_signer

EXAMPLES = int(os.environ.get("SHARING_EXAMPLES", "100"))
STATE = "CH"
KEY = make_signer("officer o-judge")
OTHER_KEY = make_signer("officer o-clerk")
PHONE = SoftAuthenticator("judge's phone")
TABLET = SoftAuthenticator("judge's tablet", PasskeyAlgorithm.EDDSA)
JUDGE = Officer("o-judge", "court", frozenset({"JUDGE"}))
HASH = "ab" * 32


@dataclass(frozen=True)
class RegisteredOfficer:
    """An officer as a register of officers has him or her."""

    officer: Officer
    keys: tuple[PublishedKey, ...]
    authority: Authority = Authority.COURT
    passkeys: tuple[Passkey, ...] = ()

    def to_officer(self) -> Officer:
        return self.officer


def find_officer(officer_id: str, at_ms: int) -> RegisteredOfficer | None:
    """Return the judge, who is in force for two days."""
    in_force = officer_id == JUDGE.id and NOW - DAY_MS <= at_ms < NOW + DAY_MS
    if not in_force:
        return None
    passkeys = (TABLET.passkey, PHONE.passkey)
    return RegisteredOfficer(JUDGE, (OTHER_KEY.public_key, KEY.public_key), passkeys=passkeys)


def make_id(number: int) -> str:
    return str(uuid.UUID(int=number))


def refer(number: int = 1, partition: int = 0, nonce: str = "0" * 32, provider: str = STATE) -> AskReference:
    return AskReference(
        ask=make_id(number), nonce=nonce, provider=provider, item=make_id(1000 + number), partition=partition
    )


def answering(answer: Answer = Answer.APPROVED, about: AskKind = AskKind.APPROVE, **fields: Any) -> Answering:
    values: dict[str, Any] = {"asks": (refer(),), "about": about, "recipients": ("DE",), "answer": answer}
    return Answering(**(values | fields))


AnyAct = Answering | Claiming | PassingOn | Opening | EndingCover


def make_ruling(act: AnyAct | None = None, **fields: Any) -> Ruling:
    values: dict[str, Any] = {
        "state": STATE, "officer": JUDGE.id, "signed_at": NOW, "expires_at": NOW + 3_600_000,
        "text": "as the law asks", "act": act or answering(),
    }  # fmt: skip
    return Ruling(**(values | fields))


def verify(value: bytes | None, *, state: str = STATE, partition: int = 0, at_ms: int = NOW) -> VerifiedRuling:
    return verify_ruling(value, find_officer, state=state, partition=partition, at_ms=at_ms)


def expect_fault(fault: RulingFault, value: bytes | None, **options: Any) -> None:
    """Expect a refusal for this reason, in one sentence."""
    with pytest.raises(RulingError) as caught:
        verify(value, **options)
    assert caught.value.fault is fault, caught.value
    assert str(caught.value).startswith(FAULT_SENTENCES[fault])
    assert str(caught.value).isprintable()
    assert caught.value.__cause__ is None


def sign(act: AnyAct | None = None, **fields: Any) -> bytes:
    return sign_ruling(make_ruling(act, **fields), KEY)


def sign_by_passkey(
    act: AnyAct | None = None, device: SoftAuthenticator = PHONE, said: dict[str, Any] | None = None, **fields: Any
) -> bytes:
    ruling = make_ruling(act, **fields)
    return assemble_ruling(ruling, device.sign(compute_ruling_challenge(ruling), **(said or {})))


def _draw_fact(name: str) -> st.SearchStrategy[RuledFact]:
    fact = FACTS[name]
    if fact.kind is FactKind.NUMBER:
        numbers = ["0", "4", "2.5", "9999.99"]
        values: st.SearchStrategy[tuple[str, ...]] = st.sampled_from(numbers).map(lambda text: (text,))
    elif fact.kind is FactKind.SET:
        values = st.lists(st.sampled_from(sorted(fact.values)), unique=True, max_size=3).map(tuple)
    else:
        values = st.sampled_from(sorted(fact.values)).map(lambda text: (text,))
    return values.map(lambda chosen: RuledFact(name=name, values=chosen))


FACT_LISTS = (
    st.lists(st.sampled_from(sorted(FACT_NAMES)), unique=True, min_size=1, max_size=3)
    .flatmap(lambda names: st.tuples(*map(_draw_fact, names)))
)  # fmt: skip


@st.composite
def draw_asks(draw: st.DrawFn) -> tuple[AskReference, ...]:
    numbers = draw(st.lists(st.integers(1, 50), unique=True, min_size=1, max_size=6))
    provider = draw(st.sampled_from([STATE, "DE"]))
    return tuple(refer(number, draw(st.integers(0, 3)), provider=provider) for number in numbers)


ASKS = draw_asks()
CODES = st.lists(st.sampled_from(["c", "de.irg-61a-2.purpose", "H2"]), unique=True, max_size=3).map(sorted).map(tuple)
STATES = st.lists(st.sampled_from(["DE", "FR", "US"]), unique=True, min_size=1).map(sorted).map(tuple)
GROUNDS = st.lists(st.sampled_from(RefusalGround), unique=True, min_size=1).map(sorted).map(tuple)
TEXTS = st.text(min_size=1, max_size=40).filter(lambda text: bool(text.strip()))


@st.composite
def draw_answering(draw: st.DrawFn) -> Answering:
    about = draw(st.sampled_from(AskKind))
    answer = draw(st.sampled_from(sorted(KINDS[about].answers)))
    needed, allowed = ANSWER_PARTS.get(answer, (frozenset(), frozenset()))
    present = needed | {part for part in sorted(allowed | {"conditions_hash"}) if draw(st.booleans())}
    fields: dict[str, Any] = {}
    if "grounds" in present:
        fields["grounds"] = draw(GROUNDS)
        if RefusalGround.OWN_LAW in fields["grounds"]:
            fields["own_rule"] = "ch.imac-67a-4"
    if "relaxed" in present:
        fields["relaxed"] = draw(CODES)
    if "facts" in present:
        fields["facts"] = draw(FACT_LISTS)
    if "conditions_hash" in present:
        fields["conditions_hash"] = HASH
    is_right = RefusalGround.HUMAN_RIGHTS in fields.get("grounds", ())
    if KINDS[about].can_be_covered and not is_right and draw(st.booleans()):
        fields["covers_until"] = NOW + 7 * DAY_MS
    return answering(answer, about, asks=draw(ASKS), recipients=draw(STATES), **fields)


@st.composite
def draw_opening(draw: st.DrawFn) -> Opening:
    opens = draw(st.sampled_from(OpeningKind))
    fields: dict[str, Any] = {}
    if opens in {OpeningKind.RECALL, OpeningKind.RESEND}:
        fields["states"] = draw(st.none() | STATES)
    if opens is OpeningKind.CORRECTION:
        fields["facts"] = draw(FACT_LISTS)
    provider = draw(st.sampled_from([STATE, "DE"])) if opens is OpeningKind.RESEND else STATE
    return Opening(opens=opens, provider=provider, item=make_id(7), partition=draw(st.integers(0, 3)), **fields)


ACTS = st.one_of(
    draw_answering(),
    ASKS.map(lambda asks: Claiming(asks=asks)),
    st.builds(PassingOn, asks=ASKS, authority=st.sampled_from(sorted(set(Authority) - {Authority.UNKNOWN}))),
    draw_opening(),
    st.builds(EndingCover, cover=st.just(HASH), provider=st.sampled_from([STATE, "DE"]), item=st.just(make_id(7))),
)
RULINGS = st.builds(make_ruling, ACTS, text=TEXTS)
