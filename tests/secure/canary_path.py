"""Where content goes after the gate: through the conversation and its officers, and into what the desk keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sharing.console.connection import ConsoleConnection
from sharing.conversation.vocabulary import Answer, AskKind
from sharing.desk.store.desk_store import DeskStore
from sharing.ids import make_item_id, make_notice_id
from sharing.model.vocabulary import DeskKind
from sharing.rulings.ruling import Opening
from sharing.rulings.vocabulary import OpeningKind
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from sharing.settings import Settings
from tests.secure.secure_bus import SecureBus
from tests.secure.secure_officers import SecureOfficers
from tests.secure.secure_states import read_now

OFFICER: Final = "canary-reader"
READ_S: Final = 240.0


def converse(bus: SecureBus, offered: Mapping[str, Any]) -> None:
    """Let DE accept what CH has offered, CH's officer withdraw it, and DE acknowledge the recall."""
    ch, de = SecureOfficers(bus, "CH"), SecureOfficers(bus, "DE")
    for officers in (ch, de):
        officers.enter(OFFICER)
    item = make_item_id("CH", "agency", offered["id"])
    entry, ask = de.await_ask(lambda entry, ask: entry.item == item and ask.kind is AskKind.ACCEPT)
    conditions = entry.kept.conditions[ask.id]  # type: ignore[union-attr]
    de.answer(OFFICER, entry, ask, Answer.ACCEPTED, conditions_hash=conditions)
    notice = make_notice_id("CH", "agency", offered["id"], 1, "DE")
    bus.workers["DE"].wait_until(lambda: notice in bus.list_item_ids("DE"), poll_s=0.2)
    act = Opening(opens=OpeningKind.WITHDRAWAL, provider="CH", item=item, partition=entry.partition)
    ch.rule(OFFICER, act, entry.partition, text="canary-reason: canary-officer has shown canary-value")
    entry, ask = de.await_ask(lambda entry, ask: entry.item == item and ask.kind is AskKind.ACK_RECALL)
    de.answer(OFFICER, entry, ask, Answer.ACKNOWLEDGED)
    ch.await_ask(lambda entry, ask: entry.item == item and ask.kind is AskKind.ACK_RECALL and not ask.is_open)


def keep_at_desk(bus: SecureBus, state: str, content: Mapping[str, Any]) -> str:
    """Keep content at a State's desk as each kind of record; return what the store and its records show of it."""
    settings = Settings(**bus.states.make_settings(state))  # type: ignore[arg-type]
    console = ConsoleConnection(settings, state, bus.bootstrap, {}, SINGLE_OBJECT_FRAMING)
    store = DeskStore(console, bus.states[state].open_online(), read_now)
    store.start()
    try:
        assert store.wait_until_read(READ_S)
        kept = [store.put(kind, "kept", OFFICER, content) for kind in DeskKind]
        assert all(store.get(record.kind, record.id) == record for record in kept)
        return f"{store!r} {kept!r} {kept}"
    finally:
        store.close()
