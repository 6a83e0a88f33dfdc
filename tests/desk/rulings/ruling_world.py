"""A desk whose rulings are written into memory: officers with passkeys in software, and a worker that tests play."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from sharing.audit.block import decode_entries
from sharing.desk.asks import list_routes as list_ask_routes
from sharing.desk.broker_state import BrokerState
from sharing.desk.rulings import list_routes
from sharing.desk.rulings.service import RulingService
from sharing.desk.settings import DeskSettings
from sharing.errors import InfrastructureError
from sharing.model.times import from_milliseconds
from sharing.model.vocabulary import AuditLogName
from sharing.passkeys.assertion import Assertion
from sharing.passkeys.browser_json import decode_base64url, encode_base64url
from sharing.rulings.act import Act
from sharing.rulings.effect_acts import ActContext, to_act
from sharing.rulings.mapping import to_events
from sharing.rulings.ruling import Ruling
from sharing.rulings.signing import VerifiedRuling, verify_ruling
from sharing.serialization.codec import get_codec
from sharing.topology.topics import ACTS, QUARANTINE, RULINGS
from tests.conversation.people import ROLE
from tests.desk.asgi import STATE, Clock, Desk, FakeRegister, make_officer, make_services, open_desk
from tests.desk.board.board_world import BoardWorld
from tests.support.audit_entries import make_block
from tests.support.soft_authenticator import ORIGIN, SoftAuthenticator

JSON = {"Accept": "application/json"}


@dataclass
class RulingWorld:
    """A desk, what it has written, and a worker.

    Attributes:
        written: The records that the broker has confirmed, with their partitions.
        is_away: Whether the broker confirms nothing.
    """

    world: BoardWorld
    clock: Clock
    register: FakeRegister
    service: RulingService
    desk: Desk
    written: list[tuple[int, bytes]] = field(default_factory=list)
    is_away: bool = False

    def write(
        self, bootstrap: str, state: str, value: bytes, keys: Mapping[int, str], properties: Any = None
    ) -> dict[int, int]:
        """Do what `write_ruling` does."""
        del bootstrap, properties
        assert state == STATE
        if self.is_away:
            raise InfrastructureError("the broker did not confirm the ruling")
        offsets = {}
        for number in keys:
            offsets[number] = sum(each == number for each, _ in self.written)
            self.written.append((number, value))
        return offsets

    def prepare(self, **fields: Any) -> Any:
        """Send a form to be prepared; return the response."""
        return self.desk.post("/rulings/prepare", fields, headers=JSON)

    def sign(self, prepared: Any, officer: str = "anna", **changes: Any) -> dict[str, Any]:
        """Return what a browser sends: the assertion of the officer's passkey on what was prepared."""
        assertion = SoftAuthenticator(officer).sign(decode_base64url(prepared["challenge"]), **changes)
        return to_browser_json(assertion)

    def submit(self, prepared: Any, assertion: Mapping[str, Any] | str | None = None) -> Any:
        import json

        sent = self.sign(prepared) if assertion is None else assertion
        text = sent if isinstance(sent, str) else json.dumps(sent)
        return self.desk.post(f"/rulings/{prepared['id']}", {"assertion": text}, headers=JSON)

    def rule(self, **fields: Any) -> Any:
        """Prepare, sign and submit; return the report."""
        prepared = self.prepare(**fields)
        assert prepared.status_code == 200, prepared.text
        submitted = self.submit(prepared.json())
        assert submitted.status_code == 200, submitted.text
        return submitted.json()

    def verify(self, place: int = -1) -> VerifiedRuling:
        """Return a ruling that was written, verified as the worker does."""
        number, value = self.written[place]
        return verify_ruling(
            value,
            self.register.find,
            state=STATE, partition=number, at_ms=self.clock.now,
        )  # fmt: skip

    def work(self, place: int = -1) -> list[Act]:
        """Do what a worker does with a ruling: the state machines decide, entries and acts are written."""
        verified = self.verify(place)
        done: list[Act] = []
        events = to_events(
            verified.ruling, verified.officer, verified.at_ms, partition=verified.partition, roles=frozenset({ROLE})
        )
        for item, event, provider in events:
            kept: Any = self.world.stories.get(item) or self.world.inboxes[item]
            kept.happen(event)
            self.world.keep(item)
            context = ActContext(
                item, provider, STATE, self.clock.now, officer=verified.officer.id, ruling=verified.digest
            )
            done += [to_act(effect, context) for effect in kept.effects]
        block = make_block(STATE, AuditLogName.ACTS, [act.encode() for act in done], verified.partition, self.clock.now)
        assert list(decode_entries(block))
        self.service.watch.take(ACTS.topic(STATE), verified.partition, block)
        return done

    def quarantine(self, message: str, place: int = -1) -> None:
        """Do what a worker does with a ruling that it refuses."""
        number, _ = self.written[place]
        offset = sum(each == number for each, _ in self.written[:place])
        fields = {
            "id": "q", "state": STATE, "topic": RULINGS.topic(STATE), "partition": number, "offset": offset,
            "quarantined_at": from_milliseconds(self.clock.now), "stage": "CHECK", "cause": "BAD_SIGNATURE",
            "message": message, "indicator_id": None, "pack": None, "record": None,
        }  # fmt: skip
        self.service.watch.take(QUARANTINE.topic(STATE), number, get_codec("quarantine").encode(fields))

    def read_ruling(self, place: int = -1) -> Ruling:
        return self.verify(place).ruling


def to_browser_json(assertion: Assertion) -> dict[str, Any]:
    """Return an assertion as `PublicKeyCredential.toJSON()` has it."""
    return {
        "id": encode_base64url(assertion.credential_id),
        "rawId": encode_base64url(assertion.credential_id),
        "type": "public-key",
        "response": {
            "clientDataJSON": encode_base64url(assertion.client_data),
            "authenticatorData": encode_base64url(assertion.authenticator_data),
            "signature": encode_base64url(assertion.signature),
        },
    }


@contextmanager
def open_ruling_world(monkeypatch: pytest.MonkeyPatch) -> Iterator[RulingWorld]:
    """Provide a desk of DE with officers anna and carl, who may approve, and bert, who may not."""
    world, clock, register = BoardWorld(), Clock(), FakeRegister()
    for officer_id, roles in (("anna", (ROLE, "PROSECUTOR")), ("carl", (ROLE,)), ("bert", ())):
        register.add(make_officer(officer_id, roles=roles))
    settings = DeskSettings(STATE, ORIGIN)
    services = make_services(clock, board=world, register=register, settings=settings, asked_law=world.make_law())
    service = RulingService(
        services.console, settings, clock.read, world, services.asked_law, BrokerState(), services.changes
    )
    service.watch._is_following = True
    object.__setattr__(services, "rulings", service)
    monkeypatch.setattr("sharing.desk.rulings.service.WAIT_SECONDS", 0.0)
    monkeypatch.setattr(RulingService.submit, "__defaults__", (0.0,))
    monkeypatch.setattr(RulingService.send_again, "__defaults__", (0.0,))
    with open_desk(list_routes, list_ask_routes, services=services) as desk:
        made = RulingWorld(world, clock, register, service, desk)
        monkeypatch.setattr("sharing.desk.rulings.service.write_ruling", made.write)
        yield made
