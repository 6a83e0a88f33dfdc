"""The register on brokers, followed: who is entered may come in, and who is revoked is out by itself."""

from __future__ import annotations

from contextlib import closing

from sharing.desk.broker_state import BrokerState
from sharing.desk.changes import ChangeFeed
from sharing.desk.officer_watch import OfficerWatch
from sharing.desk.web.sessions import SessionStore
from sharing.kafka.officer_reader import OfficerReader
from sharing.kafka.officer_writer import OfficerWriter
from sharing.officers.changes import revoke_officer
from sharing.officers.record import OfficerRecord
from sharing.officers.register import Register
from sharing.officers.verification import VerifiedEntry
from sharing.testing.broker import Broker
from sharing.topology.topics import OFFICERS
from tests.officers.register_fixtures import REGISTRARS, grant, make_registrars, sign
from tests.support.soft_authenticator import SoftAuthenticator
from tests.support.waiting import TIMEOUT_S, wait_until
from tests.trust.trust_fixtures import NOW


def revoke(newest: VerifiedEntry | None, _: int) -> OfficerRecord:
    assert newest is not None
    return sign(revoke_officer(newest, effective_at=NOW, now=NOW), REGISTRARS[2])


def test_an_officer_comes_in_and_goes_with_the_register(broker: Broker, state: str) -> None:
    keys, phone = make_registrars(state), SoftAuthenticator("o1")
    broker.create_topics([OFFICERS.topic(state)], 1)
    sessions, changes, known = SessionStore(state), ChangeFeed(), BrokerState()

    def end_sessions(officer_id: str) -> None:
        sessions.end_officer(officer_id)
        changes.announce()

    def open_reader() -> OfficerReader:
        return OfficerReader(broker.bootstrap, state, lambda: keys, clock=lambda: NOW)

    watch = OfficerWatch(open_reader, lambda: keys, lambda: NOW, known, end_sessions)
    with closing(watch):
        watch.start()
        assert watch.wait_until_read(TIMEOUT_S)
        assert watch.find("o1", NOW) is None
        writer = OfficerWriter(broker.bootstrap, keys, clock=lambda: NOW)
        entered = writer.publish("o1", grant(Register(keys), passkeys=(phone.passkey,))).entry
        wait_until(lambda: watch.find("o1", NOW) == entered, "the officer is known")
        assert watch.find_by_credential(phone.credential_id, NOW) == entered
        _, before = sessions.begin_anonymous(NOW, "en")
        _, session = sessions.begin("o1", phone.credential_id, NOW, before)
        assert sessions.is_alive(session, NOW)
        writer.change("o1", revoke)
        wait_until(lambda: not sessions.is_alive(session, NOW), "the session has ended")
        assert watch.find("o1", NOW) is None
        assert changes.revision == 1
        assert known.away_since is None
