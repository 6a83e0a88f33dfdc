"""What a subscriber delivers, for any sequence of notices, is what a naive reading of the whole past gives."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.model.delivery_history import DeliveryHistory, Repetition
from sharing.serialization.notice_decoder import NoticeDecoder, ReadNotice
from tests.kafka.topic_io import notice_bytes

INDICATOR_ID = "018f2b2e-0000-7000-8000-000000000001"
VALUES = ("one.example", "two.example")


def make_notice(state: str, agency: str, revision: tuple[int, int], value: str) -> ReadNotice:
    """Return a notice of one of several items that share an indicator id."""
    version, amendment = revision
    ids = {"identity": f"{state}/{agency}/{version}.{amendment}", "indicator_id": INDICATOR_ID, "item_id": agency}
    data = notice_bytes("DE", value, **ids, version=version, amendment=amendment, from_state=state)
    return NoticeDecoder("DE").read(data)


REVISIONS = ((1, 0), (1, 1), (1, 2), (2, 0), (2, 1))
NOTICES = [make_notice(*parts) for parts in product(("CH", "FR"), ("a", "b"), REVISIONS, VALUES)]


def compare_naively(past: list[tuple[ReadNotice, bool]], read: ReadNotice) -> Repetition:
    """Return what a notice is after those that were delivered, each with whether it was handled."""
    notice = read.notice
    for (earlier, _), handled in past:
        if handled and earlier.id == notice.id:
            return Repetition.SAME if earlier.content == notice.content else Repetition.DIFFERENT
    of_item = [each for (each, _), _ in past if (each.from_state, each.item_id) == (notice.from_state, notice.item_id)]
    return (
        Repetition.OLDER
        if any((each.version, each.amendment) > (notice.version, notice.amendment) for each in of_item)
        else Repetition.NONE
    )


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(st.sampled_from(NOTICES), st.booleans()), max_size=25))
def test_the_history_compares_like_a_reading_of_the_whole_past(arrivals: list[tuple[ReadNotice, bool]]) -> None:
    history, past = DeliveryHistory(1_000), list[tuple[ReadNotice, bool]]()
    for read, is_handled in arrivals:
        expected = compare_naively(past, read)
        assert history.compare(*read) is expected
        if expected is Repetition.NONE:
            history.note_delivered(*read)
            assert history.compare(*read) is Repetition.SAME  # twice in one batch
            if is_handled:
                history.complete(read.notice.id, read.digest)
            else:
                history.take_back()
            past.append((read, is_handled))


def test_what_was_seen_last_is_remembered() -> None:
    first, second, other = (make_notice("CH", agency, (2, 0), "one.example") for agency in "abc")
    history = DeliveryHistory(2)
    for read in (first, second, other):
        history.note_delivered(*read)
        history.complete(read.notice.id, read.digest)
    assert [history.compare(*read) for read in (first, second, other)] == [
        Repetition.NONE, Repetition.SAME, Repetition.SAME
    ]  # fmt: skip
    older = [make_notice("CH", agency, (1, 9), "one.example") for agency in "abc"]
    assert [history.compare(*read) for read in older] == [Repetition.NONE, Repetition.OLDER, Repetition.OLDER]
