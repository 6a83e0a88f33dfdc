"""Sessions: bounded, found by a hash, ended in time; what they keep counts once."""

from __future__ import annotations

from sharing.desk.web.sessions import (
    ANONYMOUS_COUNT_MAX,
    ANONYMOUS_MAX_MS,
    IDLE_MAX_MS,
    KEPT_MAX,
    SESSIONS_OF_OFFICER_MAX,
    SessionStore,
)
from tests.desk.asgi import NOW


def test_what_is_kept_is_taken_once_and_in_time() -> None:
    _, session = SessionStore("DE").begin_anonymous(NOW, "en")
    key = session.keep("ruling", NOW + 10)
    assert session.take("other", NOW) is None
    assert session.take(key, NOW) == "ruling"
    assert session.take(key, NOW) is None
    assert session.take(session.keep("late", NOW + 10), NOW + 10) is None
    keys = [session.keep(number, NOW + 10) for number in range(KEPT_MAX + 1)]
    assert session.take(keys[0], NOW) is None
    assert session.take(keys[-1], NOW) == KEPT_MAX


def test_browsers_that_never_sign_in_take_no_more_than_a_bounded_memory() -> None:
    store = SessionStore("DE")
    first, _ = store.begin_anonymous(NOW, "en")
    last = ""
    for _ in range(ANONYMOUS_COUNT_MAX):
        last, _ = store.begin_anonymous(NOW, "en")
    assert store.find(first, NOW) is None
    assert store.find(last, NOW) is not None
    assert len(store._anonymous) == ANONYMOUS_COUNT_MAX
    store.begin_anonymous(NOW + ANONYMOUS_MAX_MS, "en")
    assert len(store._anonymous) == 1


def test_browsers_that_ask_for_nothing_do_not_end_a_sign_in() -> None:
    """Anyone who reaches the desk can load the page; an officer who is asked for a fingerprint needs some seconds."""
    store = SessionStore("DE")
    signing, session = store.begin_anonymous(NOW, "en")
    session.keep("challenge", NOW + 1)
    for _ in range(ANONYMOUS_COUNT_MAX + 10):
        store.begin_anonymous(NOW, "en")
    assert store.find(signing, NOW) is session
    assert len(store._anonymous) == ANONYMOUS_COUNT_MAX
    waiting = [store.begin_anonymous(NOW, "en") for _ in range(ANONYMOUS_COUNT_MAX)]
    for _, each in waiting:
        each.keep("challenge", NOW + 1)
    store.begin_anonymous(NOW, "en")
    assert len(store._anonymous) == ANONYMOUS_COUNT_MAX, "it is bounded, whatever they ask for"


def test_one_officer_has_a_bounded_number_of_sessions() -> None:
    store = SessionStore("DE")
    ids = []
    for _ in range(SESSIONS_OF_OFFICER_MAX + 1):
        _, before = store.begin_anonymous(NOW, "en")
        session_id, _ = store.begin("anna", b"c", NOW, before)
        ids.append(session_id)
        store.begin("bert", b"c", NOW, store.begin_anonymous(NOW, "en")[1])
    assert store.find(ids[0], NOW) is None
    assert all(store.find(session_id, NOW) for session_id in ids[1:])
    assert store.end_officer("anna") == SESSIONS_OF_OFFICER_MAX
    assert store.count_signed_in() == SESSIONS_OF_OFFICER_MAX


def test_the_store_does_not_know_the_ids_that_sign_in() -> None:
    store = SessionStore("DE")
    session_id, session = store.begin_anonymous(NOW, "en")
    assert len(bytes.fromhex(session_id)) == 32
    assert session_id not in repr(session)
    assert session_id not in repr(vars(store))
    assert session.key != session_id
    assert store.find(session.key, NOW) is None


def test_listening_alone_does_not_keep_a_session_alive() -> None:
    store = SessionStore("DE")
    _, before = store.begin_anonymous(NOW, "en")
    session_id, session = store.begin("anna", b"c", NOW, before)
    assert store.is_alive(session, NOW + IDLE_MAX_MS - 1)
    assert not store.is_alive(session, NOW + IDLE_MAX_MS)
    assert store.find(session_id, NOW + IDLE_MAX_MS) is None
    assert not store.is_alive(before, NOW)
