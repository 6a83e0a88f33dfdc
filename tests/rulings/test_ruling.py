"""What a ruling may say: each answer with what it needs, words of the closed lists, and bounded periods."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydantic import ValidationError

from sharing.conversation.kinds import KINDS
from sharing.conversation.vocabulary import Answer, AskKind
from sharing.errors import InputError
from sharing.model.recipient_terms import Condition
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import Authority, ConditionKind
from sharing.packs.library import load_shipped_treaties
from sharing.rulings.alikeness import find_unavailable_ground, find_unlike
from sharing.rulings.answer_parts import ANSWER_PARTS
from sharing.rulings.cover_ending import EndingCover
from sharing.rulings.facts import RuledFact
from sharing.rulings.ruling import ASKS_MAX, Claiming, Opening, PassingOn, compute_conditions_hash
from sharing.rulings.signing import RULING_BYTES_MAX, sign_ruling
from sharing.rulings.vocabulary import GROUND_INSTRUMENTS, OpeningKind, RefusalGround, RulingFault
from tests.conversation.people import held
from tests.conversation.test_provider import Story
from tests.rulings.ruling_fixtures import HASH, KEY, answering, make_id, make_ruling, refer
from tests.trust.trust_fixtures import NOW

GROUND = RefusalGround.LIVE_CASE
FACT = RuledFact(name="minor", values=("YES",))
OTHER = RuledFact(name="minor", values=("NO",))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: answering(Answer.ACCEPTED), "does not take the answer ACCEPTED"),
        (lambda: answering(Answer.REFUSED), "REFUSED needs grounds"),
        (lambda: answering(Answer.APPROVED, grounds=(GROUND,)), "APPROVED has no grounds"),
        (lambda: answering(Answer.REFUSED, grounds=(RefusalGround.OWN_LAW,)), "OWN_LAW names a rule"),
        (lambda: answering(Answer.REFUSED, grounds=(GROUND,), own_rule="ch.x"), "OWN_LAW names a rule"),
        (lambda: answering(Answer.REFUSED, grounds=(GROUND, RefusalGround.DISCRETION)), "alphabetical order"),
        (lambda: answering(Answer.ACCEPTED, AskKind.ACCEPT), "ACCEPTED needs conditions_hash"),
        (lambda: answering(Answer.RELAX, AskKind.REDECIDE), "RELAX needs relaxed"),
        (lambda: answering(Answer.WITHDRAW, AskKind.REDECIDE, relaxed=()), "WITHDRAW has no relaxed"),
        (lambda: answering(Answer.SUPPLIED, AskKind.SUPPLY_FACT), "SUPPLIED needs facts"),
        (lambda: answering(Answer.SUPPLIED, AskKind.SUPPLY_FACT, facts=(FACT, OTHER)), "stated twice"),
        (lambda: answering(asks=()), "at least 1"),
        (lambda: answering(asks=tuple(map(refer, range(ASKS_MAX + 1)))), f"at most {ASKS_MAX}"),
        (lambda: answering(asks=(refer(), refer(partition=1))), "listed twice"),
        (lambda: answering(asks=(refer(nonce="0"),)), "pattern"),
        (lambda: answering(recipients=("XX",)), "not the code of a State"),
        (lambda: answering(recipients=("FR", "DE")), "alphabetical order"),
        (
            lambda: answering(Answer.WITHDRAW, AskKind.REDECIDE, covers_until=NOW + 1),
            "each Ask of the kind REDECIDE is answered separately",
        ),
        (
            lambda: answering(Answer.REFUSED, grounds=(RefusalGround.HUMAN_RIGHTS,), covers_until=NOW + 1),
            "must be examined for each item",
        ),
        (lambda: EndingCover(cover="no digest", provider="CH", item=make_id(1)), "pattern"),
        (lambda: make_ruling(answering(covers_until=NOW + 31 * DAY_MS, conditions_hash=HASH)), "at most 30 days"),
        (lambda: make_ruling(answering(covers_until=NOW, conditions_hash=HASH)), "at most 30 days"),
        (lambda: make_ruling(answering(Answer.PROVIDE_ANYWAY, AskKind.REDECIDE), text=" "), "grounds in words"),
        (lambda: make_ruling(expires_at=NOW + DAY_MS + 1), "within 1 day"),
        (lambda: make_ruling(expires_at=NOW), "within 1 day"),
        (lambda: make_ruling(text="x" * 2001), "at most 2000"),
        (lambda: make_ruling(officer="A. Judge"), "pattern"),
        (lambda: Claiming(asks=(refer(), refer())), "listed twice"),
        (lambda: PassingOn(asks=(refer(),), authority=Authority.UNKNOWN), "name the kind"),
        (
            lambda: Opening(opens=OpeningKind.CORRECTION, provider="CH", item=make_id(1), partition=0),
            "a correction must state facts",
        ),
        (
            lambda: Opening(opens=OpeningKind.RECALL, provider="CH", item=make_id(1), partition=0, facts=(FACT,)),
            "must state facts",
        ),
        (
            lambda: Opening(opens=OpeningKind.WITHDRAWAL, provider="CH", item=make_id(1), partition=0, states=("DE",)),
            "concerns every State",
        ),
        (lambda: answering(asks=(refer(1), refer(2, provider="DE"))), "items of several States"),
        (
            lambda: make_ruling(
                Opening(opens=OpeningKind.RECALL, provider="DE", item=make_id(1), partition=0)
            ),
            "only items of his or her own State",
        ),
    ],
)  # fmt: skip
def test_a_ruling_has_what_it_needs_and_nothing_else(make: Callable[[], object], sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        make()
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("name", "values", "sentence"),
    [
        ("findings.serious_offense", ("YES",), "did you mean 'findings.serious_offence'?"),
        ("recipient.eu", ("YES",), "is not a fact of an item"),
        ("minor", ("yes",), "did you mean 'YES'?"),
        ("minor", ("UNKNOWN",), "is not in its list"),
        ("minor", ("YES", "NO"), "exactly one value"),
        ("minor", (), "exactly one value"),
        ("handling", ("H1", "H1"), "twice"),
        ("purpose", ("PROSECUTE",), "did you mean 'PROSECUTION'?"),
        ("offence.max_penalty_years", ("four",), "must be a number"),
        ("offence.max_penalty_years", ("1e3",), "must be a number"),
    ],
)
def test_a_fact_is_stated_in_words_of_the_vocabulary(name: str, values: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        RuledFact(name=name, values=values)
    assert sentence in caught.value.errors()[0]["msg"]


def test_every_answer_of_every_kind_can_be_given() -> None:
    parts = {"grounds": (GROUND,), "relaxed": (), "facts": (FACT,), "conditions_hash": HASH}
    for kind, row in KINDS.items():
        for answer in row.answers:
            needed = ANSWER_PARTS.get(answer, (frozenset(),))[0]
            make_ruling(answering(answer, kind, **{name: parts[name] for name in needed - {"text"}}))


def test_conditions_have_one_hash_whatever_their_order() -> None:
    first = Condition("a", ConditionKind.PURPOSE, "Only for this case.")
    second = Condition("b", ConditionKind.RETENTION, "Two years.")
    assert compute_conditions_hash([first, second]) == compute_conditions_hash([second, first])
    hashes = {
        compute_conditions_hash(conditions)
        for conditions in ([], [first], [second], [first, second], [Condition("a", ConditionKind.PURPOSE, "Else.")])
    }
    assert len(hashes) == 5


def test_the_largest_ruling_can_be_signed() -> None:
    asks = tuple(refer(number, number) for number in range(1, ASKS_MAX + 1))
    value = sign_ruling(make_ruling(answering(asks=asks), text="\N{HIRAGANA LETTER A}" * 2000), KEY)
    assert len(value) < RULING_BYTES_MAX


def test_a_ruling_that_no_worker_would_read_is_not_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharing.rulings.signing.RULING_BYTES_MAX", 100)
    with pytest.raises(InputError, match="answer fewer questions"):
        sign_ruling(make_ruling(), KEY)


def test_an_ask_must_be_what_the_ruling_says_of_all() -> None:
    ask = Story(held("DE")).find_ask(AskKind.APPROVE)
    act = answering(rule="ch.rule", conditions_hash=HASH)
    assert find_unlike(act, ask, rule="ch.rule", conditions_hash=HASH) is None
    assert find_unlike(act, ask, rule="ch.other", conditions_hash=HASH) is RulingFault.NOT_ALIKE
    assert find_unlike(act, ask, rule="ch.rule", conditions_hash=None) is RulingFault.OTHER_CONDITIONS
    assert find_unlike(act, ask, rule="ch.rule", conditions_hash="cd" * 32) is RulingFault.OTHER_CONDITIONS
    for other in (answering(recipients=("FR",)), answering(recipients=("DE", "FR"))):
        assert find_unlike(other, ask, rule=None, conditions_hash=None) is RulingFault.NOT_ALIKE
    redecide = answering(Answer.WITHDRAW, AskKind.REDECIDE)
    assert find_unlike(redecide, ask, rule=None, conditions_hash=None) is RulingFault.NOT_ALIKE


def test_grounds_that_do_not_apply_are_refused() -> None:
    def find(*grounds: RefusalGround, is_obliged: bool = False) -> RulingFault | None:
        act = answering(Answer.REFUSED, grounds=tuple(sorted(grounds)))
        return find_unavailable_ground(act, is_obliged=is_obliged, in_force={"UNCAC", "BUDAPEST"})

    assert find(RefusalGround.DISCRETION) is None
    assert find(RefusalGround.DISCRETION, is_obliged=True) is RulingFault.OBLIGED
    assert find(RefusalGround.DISCRETION, RefusalGround.HUMAN_RIGHTS, is_obliged=True) is None
    assert find(RefusalGround.HUMAN_RIGHTS, is_obliged=True) is None
    assert find(RefusalGround.UNCAC_46_21, RefusalGround.BUDAPEST_27_4) is None
    assert find(RefusalGround.UNCC_40) is RulingFault.NOT_IN_FORCE


def test_grounds_are_taken_from_instruments_of_the_treaty_table() -> None:
    instruments = load_shipped_treaties().instruments
    for ground, name in GROUND_INSTRUMENTS.items():
        assert (instruments[name].in_force is None) == (ground is RefusalGround.UNCC_40)
