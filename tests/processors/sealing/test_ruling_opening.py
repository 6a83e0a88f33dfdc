"""The rulings of a batch: sealed to the worker, and what the worker keeps of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import SecretBytes

from processors.conversation.conversation_result import ConversationOutcome
from processors.sealing.ruling_opening import ArrivedRuling, RulingOpening
from sharing.conversation.vocabulary import Answer, Refusal
from sharing.conversation_state.covers import decode_covers, make_covers_key
from sharing.errors import InputError
from sharing.model.times import DAY_MS, HOUR_MS
from sharing.rulings.act import ActKind
from sharing.rulings.cover_ending import EndingCover
from sharing.rulings.ruling import Answering
from sharing.rulings.signing import read_digest
from sharing.rulings.vocabulary import RefusalGround
from sharing.seal.faults import SealError, SealFault
from sharing.seal.rulings import open_ruling_with_key, unwrap_ruling_key
from tests.processors.conversation.conversation_driver import (
    AUTHOR,
    CLERK,
    JUDGE,
    STATE,
    Driver,
    answer,
    get_item,
    make_draft,
    make_ruling,
    read_acts,
)
from tests.processors.gate.gate_fixtures import HELD, NOW_MS
from tests.processors.sealing.ruling_fixtures import (
    WORKER_KEY,
    WRAPPING_KEY,
    WRAPPING_KEY_ID,
    open_rulings,
    seal_record,
)

TEXT = b"as the law asks"
RECORD = b"a record that nobody has verified"


def begin() -> tuple[Driver, Answering]:
    """Let the gate hold an item, and return the answer of an officer."""
    driver = Driver()
    driver.process(make_draft(1, **HELD))
    return driver, answer(get_item(1), driver.get_ask(), Answer.APPROVED)


def test_a_ruling_in_clear_is_refused_and_changes_nothing() -> None:
    driver, act = begin()
    sealed = make_ruling(act)
    in_clear = driver.rulings.open_arrived(sealed.data).record
    driver.rulings = open_rulings(STATE)
    result = driver.process(replace(sealed, data=in_clear))
    assert result.outcomes == [ConversationOutcome.REFUSED]
    (refused,) = result.refused
    assert refused.cause == SealFault.UNSEALED
    assert "rule again" in refused.message
    assert driver.process(sealed).outcomes == [ConversationOutcome.CHANGED]


def test_its_act_keeps_the_key_that_opens_it_in_the_topic() -> None:
    driver, act = begin()
    record = make_ruling(act)
    acts = read_acts(driver.process(record))
    assert acts
    for each in acts:
        assert each.ruling_key is not None
        assert each.ruling_key.wrapping_key == WRAPPING_KEY_ID
        key = unwrap_ruling_key(each.ruling_key, STATE, {WRAPPING_KEY_ID: WRAPPING_KEY}.get)
        opened = open_ruling_with_key(record.data or b"", STATE, key)
        assert read_digest(opened, STATE) == each.ruling
        assert TEXT in opened


def test_an_act_says_on_which_grounds_was_refused() -> None:
    driver, act = begin()
    refusing = act.model_copy(update={"answer": Answer.REFUSED, "grounds": (RefusalGround.LIVE_CASE,)})
    for each in read_acts(driver.process(make_ruling(refusing))):
        assert (each.grounds, each.own_rule) == ((RefusalGround.LIVE_CASE,), None)


@pytest.mark.parametrize(("typed", "recorded"), [("ch.permit", "ch.permit"), ("Meier-Hans-1974", None)])
def test_an_act_names_a_rule_of_the_pack_and_nothing_else_that_was_typed(typed: str, recorded: str | None) -> None:
    """The log is kept forever, and is not sealed."""
    driver, act = begin()
    refusing = {"answer": Answer.REFUSED, "grounds": (RefusalGround.OWN_LAW,), "own_rule": typed}
    result = driver.process(make_ruling(act.model_copy(update=refusing)))
    for each in read_acts(result):
        assert (each.grounds, each.own_rule) == ((RefusalGround.OWN_LAW,), recorded)
    assert all(b"Meier" not in (output.value or b"") for output in result.outputs)


def test_a_cover_is_kept_sealed_and_answers_after_the_seal_key_has_ended() -> None:
    driver, act = begin()
    covering = act.model_copy(update={"covers_until": NOW_MS + 7 * DAY_MS})
    for number in (0, 1):
        driver.process(make_ruling(covering, partition=number))
    entry = driver.list_entries()[1][make_covers_key(1)]
    assert TEXT not in entry
    (cover,) = decode_covers(entry).covers
    assert (cover.terms.officer, cover.terms.answer, cover.terms.item) == ("o-judge", Answer.APPROVED, get_item(1))
    driver.rulings = RulingOpening(STATE, _Keys()).begin_batch({}, NOW_MS)
    later = read_acts(driver.process(make_draft(2, 1, **HELD), now_ms=NOW_MS + HOUR_MS))
    assert [each.officer for each in later] == [None, "o-judge", "o-judge"]


def test_without_the_wrapping_key_a_cover_answers_nothing_and_people_are_asked() -> None:
    driver, act = begin()
    covering = act.model_copy(update={"covers_until": NOW_MS + 7 * DAY_MS})
    for number in (0, 1):
        driver.process(make_ruling(covering, partition=number))
    for keys in (_Keys(is_here=False), _Keys(is_broken=True)):
        driver.rulings = RulingOpening(STATE, keys).begin_batch({}, NOW_MS)
        acts = read_acts(driver.process(make_draft(2, 1, **HELD), now_ms=NOW_MS + HOUR_MS, is_committed=False))
        assert [each.officer for each in acts] == [None]


def test_while_a_cover_does_not_open_who_could_not_give_it_cannot_end_it() -> None:
    driver, act = begin()
    driver.process(make_ruling(act.model_copy(update={"covers_until": NOW_MS + 7 * DAY_MS}), partition=1))
    (cover,) = decode_covers(driver.list_entries()[1][make_covers_key(1)]).covers
    ending = EndingCover(cover=cover.digest, provider=STATE, item=get_item(1))
    for keys in (_Keys(is_here=False), _Keys(is_broken=True)):
        driver.rulings = RulingOpening(STATE, keys).begin_batch({WORKER_KEY.public_key.key_id: WORKER_KEY}, NOW_MS)
        (refused,) = read_acts(driver.process(make_ruling(ending, CLERK, partition=1)))
        assert (refused.kind, refused.reason) == (ActKind.RULING_REFUSED, Refusal.WRONG_ROLE)
        assert decode_covers(driver.list_entries()[1][make_covers_key(1)]).find(cover.digest) is not None
        for officer in (JUDGE, AUTHOR):  # who gave it, and another approver
            ended = driver.process(make_ruling(ending, officer, partition=1), is_committed=False)
            assert [each.kind for each in read_acts(ended)] == [ActKind.COVER_ENDED]


def test_a_state_that_runs_its_own_cluster_takes_both() -> None:
    both = RulingOpening(STATE, _Keys(), accepts_unsealed=True).begin_batch(
        {WORKER_KEY.public_key.key_id: WORKER_KEY}, NOW_MS
    )
    assert both.open_arrived(RECORD) == ArrivedRuling(RECORD, None)
    opened = both.open_arrived(seal_record(RECORD, STATE, NOW_MS))
    assert (opened.record, opened.key is None) == (RECORD, False)
    assert RECORD.decode() not in repr(opened)
    assert both.open_kept(RECORD, None) == RECORD
    strict = RulingOpening(STATE, _Keys()).begin_batch({}, NOW_MS)
    for value in (RECORD, b"", None):
        with pytest.raises(SealError, match="not sealed"):
            strict.open_arrived(value)


def test_rulings_wait_while_the_wrapping_key_cannot_be_read() -> None:
    with pytest.raises(InputError, match="no wrapping key"):
        RulingOpening(STATE, _NoKeys()).begin_batch({}, NOW_MS)


class _Keys:
    """The wrapping keys of a State."""

    def __init__(self, *, is_here: bool = True, is_broken: bool = False) -> None:
        self.is_here = is_here
        self.is_broken = is_broken

    def get_wrapping_key(self, now: int) -> tuple[str, SecretBytes]:
        del now
        return WRAPPING_KEY_ID, WRAPPING_KEY

    def find_wrapping_key(self, key_id: str, now: int) -> SecretBytes | None:
        del now
        if self.is_broken:
            raise InputError("the folder cannot be read")
        return WRAPPING_KEY if self.is_here and key_id == WRAPPING_KEY_ID else None


class _NoKeys(_Keys):
    def get_wrapping_key(self, now: int) -> tuple[str, SecretBytes]:
        raise InputError("has no wrapping key")
