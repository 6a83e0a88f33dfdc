"""The officers of a demo's States: two for each, entered in the register by two registrars, with the roles of its law.

Their keys are in memory only, and end with the demo.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sharing.kafka.officer_writer import OfficerWriter
from sharing.keystore.private_key import OFFICER_ROLE, generate_key
from sharing.model.vocabulary import Authority
from sharing.officers.changes import OfficerFields, change_officer, countersign, make_record, sign_change
from sharing.packs.library import find_law
from sharing.testing.demo.keys import DAYS, StateKeys, read_clock
from sharing.trust.public_keys import KeyAlgorithm
from sharing.trust.signatures import SigningKey

OFFICER_NUMBERS: Final = ("4711", "4712")
"""Ends of the ids of each State's officers. The first one publishes where a sample case names an officer."""


@dataclass(frozen=True, slots=True)
class DemoOfficer:
    """One officer. The `repr` shows no key.

    Attributes:
        id: Opaque id, as in the register.
        key: Signs the officer's rulings.
    """

    id: str
    key: SigningKey = field(repr=False)


def register_officers(
    bootstrap: str, keys: StateKeys, ids: Sequence[str], properties: Mapping[str, str]
) -> tuple[DemoOfficer, ...]:
    """Enter officers in the register of a State, each with every role that its law names.

    Args:
        bootstrap: Kafka bootstrap servers.
        keys: The keys of the State.
        ids: Ids of the officers.
        properties: Further librdkafka properties of the State's console.

    Raises:
        SharingError: The register cannot be written.
    """
    writer = OfficerWriter(bootstrap, keys.online.get_trusted_keys(read_clock()), properties, clock=read_clock)
    roles = tuple(find_law(keys.state).pack.approvers)
    return tuple(_register(writer, keys, officer, roles) for officer in ids)


def _register(writer: OfficerWriter, keys: StateKeys, officer: str, roles: Sequence[str]) -> DemoOfficer:
    private = generate_key(keys.state, OFFICER_ROLE, KeyAlgorithm.ED25519)
    fields = OfficerFields(
        name=f"Officer {officer} (sample)",
        agency="Duty office (sample)",
        authority=Authority.PROSECUTOR,
        roles=roles,
        keys=(private.public_key,),
    )
    change = change_officer(keys.state, officer, None, fields, days=DAYS, now=read_clock())
    first, second = keys.registrars
    document = countersign(sign_change(change, first), change.entry, second)
    writer.publish(officer, make_record(document, change.grant))
    return DemoOfficer(officer, private.to_signing_key())
