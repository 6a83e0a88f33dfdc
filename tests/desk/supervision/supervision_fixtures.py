"""A desk with the supervisor's pages: officers with and without the role, open Asks, and results that are computed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from sharing.audit.block import LogPlace
from sharing.audit.transfers import Grounds, TransferKind, TransferRow
from sharing.console.witnessed_logs import SeenLog
from sharing.conversation.vocabulary import Answer, AskKind, AskStatus, Refusal
from sharing.desk.supervision import list_routes, records
from sharing.desk.supervision.figures import Figures
from sharing.desk.supervision.log_state import LogState, make_log_state
from sharing.desk.supervision.refusals import RefusalView, view_refusals
from sharing.desk.supervision.uses_view import UsesView, view_uses
from sharing.errors import SharingError
from sharing.kafka.audit_reader import ReadCheckpoints
from sharing.kafka.use_log import Use, UseContext
from sharing.kafka.use_reader import RecordedUse
from sharing.model.vocabulary import AuditLogName
from sharing.officers.roles import SUPERVISOR
from sharing.rulings.act import Act, ActAnswer, ActKind
from sharing.rulings.vocabulary import RefusalGround
from tests.audit.audit_fixtures import World, make_world
from tests.desk.asgi import NOW, Clock, Desk, FakeRegister, make_officer, make_services, open_desk
from tests.desk.board.board_world import BoardWorld
from tests.support.waiting import wait_until

ITEM = "018f3c1e-7b1a-7c3d-8e2f-00000000000a"
FORMULA = "=HYPERLINK(1)"

FIGURES = Figures(
    {
        TransferRow("2026-04", "CH", TransferKind.SENT, Grounds("BUDAPEST", "IRG § 61a")): 3,
        TransferRow("2026-05", "CH", TransferKind.WITHHELD, Grounds("", "IRG § 61a(3)")): 2,
        TransferRow("2026-05", "FR", TransferKind.OFFERED, Grounds("BUDAPEST", FORMULA)): 7,
        TransferRow("2026-05", "FR", TransferKind.WITHHELD, Grounds("", "")): 1,
    }
)


GROUNDS = (RefusalGround.HUMAN_RIGHTS, RefusalGround.OWN_LAW)
OWN_RULE = "de.irg-61a-3"


def make_act(answer: Answer = Answer.REFUSED, by: str = "anna", **changes: Any) -> Act:
    """Return the act that an Ask was answered."""
    fields: dict[str, Any] = {
        "kind": ActKind.ASK_ENDED, "item_id": ITEM, "provider": "DE", "state": "DE", "at": NOW, "officer": by,
        "ruling": "f" * 64, "ask": ITEM, "ask_kind": AskKind.APPROVE, "ask_status": AskStatus.ANSWERED, "asked": "DE",
        "answers": (ActAnswer(by, answer, NOW),), "states": ("CH",), **changes,
    }  # fmt: skip
    return Act(**fields)


def make_refusals() -> RefusalView:
    """Return refusals: two of our own on grounds, one of another State, and a ruling that changed nothing."""
    acts = [
        make_act(grounds=GROUNDS, own_rule=OWN_RULE),
        make_act(by="bert", grounds=GROUNDS, own_rule=OWN_RULE),
        make_act(Answer.CANNOT_COMPLY, "FR", ruling=None, officer=None, asked="FR", ask_kind=AskKind.ACCEPT),
        make_act(Answer.APPROVED, ruling="e" * 64),
        make_act(kind=ActKind.RULING_REFUSED, ask_status=None, answers=(), reason=Refusal.BARRED, officer="anna"),
    ]
    return view_refusals(acts, "DE")


def make_uses() -> UsesView:
    """Return uses of two readers."""
    uses = [
        RecordedUse(Use(f"n-{number}", ITEM, "CH", "ITEM", NOW + number), UseContext(reader, "", "desk"), NOW)
        for number, reader in enumerate(("anna", "anna", "bert"))
    ]
    return view_uses(uses, NOW - 30 * 86_400_000)


def make_state(world: World | None = None, *, has_roots: bool = True, verifies_stamps: bool = False) -> LogState:
    """Return what is known of a log of Switzerland, which two States have witnessed."""
    known = world or make_world()
    checkpoints, findings = known.read_checkpoints()
    place = LogPlace("CH", AuditLogName.DECISIONS, 0)
    read = ReadCheckpoints({place: checkpoints}, {place: findings}, {place: 0}) if has_roots else None
    seen = [SeenLog("CH/decisions/0", log) for log in known.seen.values() if log is not None]
    return make_log_state([known.verify()], read, seen, 2, verifies_stamps=verifies_stamps)


@dataclass
class Computing:
    """What the threads compute, and what they fail with.

    Attributes:
        values: The values, by name.
        failures: What is raised instead, by name.
        released: Set while they may finish.
        counts: How often each was computed.
    """

    values: dict[str, Any] = field(
        default_factory=lambda: {
            "figures": FIGURES,
            "log_state": make_state(),
            "refusals": make_refusals(),
            "uses": make_uses(),
        }
    )
    failures: dict[str, SharingError] = field(default_factory=dict)
    released: threading.Event = field(default_factory=threading.Event)
    counts: dict[str, int] = field(default_factory=dict)

    def compute(self, name: str) -> Any:
        self.counts[name] = self.counts.get(name, 0) + 1
        assert self.released.wait(150)
        if name in self.failures:
            raise self.failures[name]
        return self.values[name]


@dataclass
class SupervisedDesk:
    """A desk, and its fakes."""

    desk: Desk
    computing: Computing
    world: BoardWorld
    clock: Clock

    def read(self, path: str) -> str:
        """Return a page once what it shows is computed."""
        text = ""

        def is_there() -> bool:
            nonlocal text
            answer = self.desk.get(path)
            text = answer.text
            return answer.status_code == 200 and "As of" in text and "being computed" not in text

        wait_until(is_there, f"{path} shows a result")
        return text


@contextmanager
def open_supervision(
    monkeypatch: pytest.MonkeyPatch, officer: str | None = "sue", *, is_released: bool = True
) -> Iterator[SupervisedDesk]:
    clock, computing, world = Clock(), Computing(), BoardWorld()
    for name in ("figures", "log_state", "refusals"):
        monkeypatch.setattr(records, f"read_{name}", lambda *_, name=name: computing.compute(name))
    monkeypatch.setattr(records, "read_uses_view", lambda *_: computing.compute("uses"))
    register = FakeRegister()
    register.add(make_officer("anna"))
    register.add(make_officer("sue", roles=(SUPERVISOR,)))
    services = make_services(clock, board=world, register=register)
    if is_released:
        computing.released.set()
    with open_desk(list_routes, services=services, officer=officer) as desk:
        yield SupervisedDesk(desk, computing, world, clock)
    computing.released.set()
