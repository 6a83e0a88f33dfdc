"""Officers of the States of a secure bus: entered by two registrars, asked by workers, answering with rulings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import SecretStr

from sharing.conversation.asks import Ask
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation_state.entries import KeptConversation, decode_entry
from sharing.conversation_state.item_keys import ITEM_PREFIXES
from sharing.kafka.officer_writer import OfficerWriter
from sharing.keystore.key_access import KeyAccess
from sharing.model.vocabulary import Authority
from sharing.officers.changes import OfficerFields, change_officer, countersign, make_record, sign_change
from sharing.rulings.act import Act
from sharing.rulings.ruling import Answering, AskReference, Ruling
from sharing.rulings.signing import sign_ruling
from sharing.topology.topics import ACTS, CONVERSATIONS, RULINGS
from sharing.trust.public_keys import KeyRole
from tests.kafka.topic_io import read_records, write_records
from tests.secure.secure_bus import PARTITIONS, SecureBus
from tests.secure.secure_states import SecureState, read_now
from tests.support.audit_entries import list_entries
from tests.trust.trust_fixtures import make_public, make_signer

ROLE = "JUDGE"


class Entry(NamedTuple):
    """What a State's worker keeps about an item, and on which partition."""

    partition: int
    kept: KeptConversation | ReceivedItem

    @property
    def provider(self) -> str:
        """The State that provides the item."""
        return self.kept.from_state if isinstance(self.kept, ReceivedItem) else self.kept.conversation.state

    @property
    def item(self) -> str:
        """Id of the item."""
        return self.kept.item if isinstance(self.kept, ReceivedItem) else self.kept.conversation.item

    @property
    def asks(self) -> list[Ask]:
        """Its Asks."""
        kept = self.kept
        return list((kept if isinstance(kept, ReceivedItem) else kept.conversation).asks.values())


def enter_officers(bootstrap: str, keys: SecureState, officers: Mapping[str, Sequence[str]]) -> None:
    """Let two registrars enter officers, each with these roles. The second registrar key is made for that."""
    if len(keys.list_keys(KeyRole.REGISTRAR)) < 2:
        keys.rotate(KeyRole.REGISTRAR)
    access = KeyAccess(SecretStr(keys.passphrases["online"]), None)
    signers = [
        keys.keys.read_private_key(KeyRole.REGISTRAR, key.key_id, access).to_signing_key()
        for key in keys.list_keys(KeyRole.REGISTRAR)[:2]
    ]
    writer = OfficerWriter(bootstrap, keys.read_statement())
    for officer, roles in officers.items():
        fields = OfficerFields(
            name=f"Officer {officer}", agency="court", authority=Authority.COURT, roles=tuple(roles),
            keys=(make_public(f"{keys.code} {officer}"),),
        )  # fmt: skip
        change = change_officer(keys.code, officer, None, fields, days=30, now=read_now())
        document = countersign(sign_change(change, signers[0]), change.entry, signers[1])
        writer.publish(officer, make_record(document, change.grant))


@dataclass
class SecureOfficers:
    """The officers of one State.

    Attributes:
        bus: The bus.
        state: The State.
    """

    bus: SecureBus
    state: str

    def enter(self, *officers: str) -> None:
        """Let two registrars enter officers. The second registrar key is made for that."""
        enter_officers(self.bus.bootstrap, self.bus.states[self.state], dict.fromkeys(officers, (ROLE,)))

    def rule(self, officer: str, act: Any, partition: int, text: str = "as asked") -> None:
        """Write a ruling of an officer."""
        now = read_now()
        ruling = Ruling(
            state=self.state,
            officer=officer,
            signed_at=now - 1_000,
            expires_at=now + 3_600_000,
            text=text,
            act=act,
        )
        record = sign_ruling(ruling, make_signer(f"{self.state} {officer}"))
        value = self.bus.states[self.state].seal_ruling(record)
        write_records(self.bus.broker, RULINGS.topic(self.state), [value], key=b"item", partition=partition)

    def answer(self, officer: str, entry: Entry, ask: Ask, answer: Any, **changes: Any) -> None:
        """Write an answer of an officer to an Ask."""
        reference = AskReference(
            ask=ask.id, nonce=ask.nonce, provider=entry.provider, item=entry.item, partition=entry.partition
        )
        fields: dict[str, Any] = {
            "asks": (reference,), "about": ask.kind, "recipients": tuple(sorted(ask.recipients)), "answer": answer,
        }  # fmt: skip
        self.rule(officer, Answering(**(fields | changes)), entry.partition)

    def list_entries(self) -> list[Entry]:
        """Return what the State's worker keeps about items."""
        last = {
            (message.partition() or 0, message.key() or b""): message.value()
            for message in read_records(self.bus.broker, CONVERSATIONS.topic(self.state), PARTITIONS)
        }
        return [
            Entry(partition, decode_entry(key, value))
            for (partition, key), value in last.items()
            if key.startswith(ITEM_PREFIXES) and value is not None
        ]

    def await_ask(self, is_it: Callable[[Entry, Ask], bool]) -> tuple[Entry, Ask]:
        """Return the Ask that a State's worker keeps, as soon as there is one."""
        found: list[tuple[Entry, Ask]] = []

        def look() -> bool:
            found[:] = [(entry, ask) for entry in self.list_entries() for ask in entry.asks if is_it(entry, ask)]
            return bool(found)

        self.bus.workers[self.state].wait_until(look, poll_s=0.3)
        return found[0]

    def list_acts(self, item: str) -> list[Act]:
        """Return the acts about an item."""
        messages = read_records(self.bus.broker, ACTS.topic(self.state), PARTITIONS)
        acts = list(map(Act.from_record, list_entries(messages)))
        return [act for act in acts if act.item_id == item]
