"""Writes the State's own directory topic: roots, the newest key statement, and signed statements.

Nothing is written before the topic was read to its end and verified from the State's first root. Afterwards it is read
again: another writer may have come first, whose statement then counts. An announcement is then tried again with the
next number. A renewal is not: the writer that came first may have made a different announcement.

A gate renews what a person has announced, under the directory key that signed it or a later one. It does not renew
anything that has expired or that a revoked key has signed: a person must announce it again. It also leaves out the
standing acceptances whose officer is no longer in the State's register; that is done at once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sharing.directory.announcements import (
    STATEMENT_HOURS,
    encode_entry,
    make_announcement,
    renew_announcement,
)
from sharing.directory.state_chain import KEYS_KEY, StateChain, make_root_key
from sharing.directory.statement import SCHEMA, DirectoryStatement, StatementContent, read_entry, sign_statement
from sharing.errors import InfrastructureError, InputError
from sharing.kafka.directory_own_topic import OwnTopic, publish_records
from sharing.keystore.files import read_file
from sharing.keystore.online_keys import OnlineKeys
from sharing.officers.register import Register
from sharing.officers.standing_acceptance import drop_refused
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.public_keys import KeyRole

log = logging.getLogger(__name__)

RENEWAL_MS = 3_600_000
"""The age at which a statement is renewed."""

ATTEMPTS_MAX: Final = 5


class RenewalResult(StrEnum):
    """What a renewal has done.

    Attributes:
        RENEWED: The statement was signed again.
        NOT_DUE: It is younger than an hour.
        OVERTAKEN: Another writer came first.
        NOTHING: No person has announced anything, or it has expired.
    """

    RENEWED = "RENEWED"
    NOT_DUE = "NOT_DUE"
    OVERTAKEN = "OVERTAKEN"
    NOTHING = "NOTHING"


@dataclass(frozen=True, slots=True)
class _OwnDocuments:
    """What the key folder can publish: each root by its version, and the newest key statement."""

    roots: Mapping[int, bytes]
    keys: TrustedKeys
    key_statement: bytes


class DirectoryWriter:
    """Writes the directory topic of the State to which the keys belong.

    Its methods raise `InputError` or `TrustError` if the keys cannot be used, and `InfrastructureError` if the broker
    does not answer or does not confirm.

    Args:
        bootstrap: Kafka bootstrap servers.
        online_keys: The keys in the State's key folder.
        properties: Further librdkafka properties, such as those of TLS.
        framing: How records are framed.
        clock: Returns the time in UTC milliseconds.
    """

    def __init__(
        self,
        bootstrap: str,
        online_keys: OnlineKeys,
        properties: Mapping[str, Any] | None = None,
        framing: Framing = SINGLE_OBJECT_FRAMING,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._bootstrap = bootstrap
        self._folder = online_keys.folder
        self._online_keys = online_keys
        self._properties = dict(properties or {})
        self._framing = framing
        self._clock = clock
        pin = self._folder.read_roots()[0].to_pin()
        self._chain = StateChain(pin)
        self._own_version = 0
        self._topic = OwnTopic(bootstrap, pin.state, self._properties, framing)

    @property
    def state(self) -> str:
        """The State."""
        return self._chain.state

    @property
    def statement(self) -> DirectoryStatement | None:
        """The State's own statement as it was last read; None if none is valid."""
        now = self._clock()
        return self._chain.statement if self._chain.get_keys(now) is not None else None

    @property
    def older_folder(self) -> str | None:
        """What is wrong if the topic, as it was last read, has a newer key statement than the key folder; else None."""
        published, own = self._chain.keys, self._own_version
        if published is None or published.statement.version <= own:
            return None
        return (
            f"{self.state}: the key folder {self._folder.path} has key statement {own}, and the directory has "
            f"{published.statement.version}: an older copy of the folder was put back, or the newest was not copied "
            "here; copy it here, because other States refuse what keys sign that were revoked since"
        )

    def announce(self, entry: bytes | None, hours: int = STATEMENT_HOURS) -> DirectoryStatement:
        """Announce an entry, and return the statement that readers will accept.

        Args:
            entry: The encoded entry; None to remove it.
            hours: For how many hours the statement is valid, if nothing renews it.

        Raises:
            InputError: The directory has a newer key statement than the key folder, which revokes the key that signs;
                or as the class says.
            InfrastructureError: Another writer came first each time; or as the class says.
        """
        for _ in range(ATTEMPTS_MAX):
            documents = self._read()
            now = self._clock()
            keys = self._require_keys()
            content = make_announcement(
                self.state,
                entry,
                previous=self._chain.find_newest(now),
                key_statement=keys.statement.version,
                hours=hours,
                now=now,
                last=self._chain.find_last_number(now),
            )
            statement = self._publish(documents, content, now)
            if self._is_accepted(statement):
                return statement
        raise InfrastructureError(
            f"{self.state}: another writer announces at the same time and came first {ATTEMPTS_MAX} times; look at "
            "`sharing directory show`, and announce again"
        )

    def renew(self, read_register: Callable[[], Register] | None = None) -> RenewalResult:
        """Sign the statement in force again if it is an hour old, or names old keys; publish newer keys at once.

        Args:
            read_register: Reads the register of the State's officers; called only if there are standing acceptances.
                Without it, none of them is renewed.

        Raises:
            InputError: As `announce`.
        """
        documents = self._read()
        now = self._clock()
        keys, statement = self._require_keys(), self._chain.statement
        is_due = statement is not None and self._is_renewable(statement, keys, now)
        if statement is None or not is_due:
            missing = self._find_missing(documents)
            if missing:
                publish_records(self._bootstrap, self.state, missing, self._properties)
            return RenewalResult.NOTHING
        entry = _uphold(statement, read_register, now)
        is_same = entry == statement.content.entry
        if is_same and not self._is_due(statement, keys, now) and not self._find_missing(documents):
            return RenewalResult.NOT_DUE
        content = renew_announcement(statement, entry=entry, key_statement=keys.statement.version, now=now)
        renewed = self._publish(documents, content, now)
        return RenewalResult.RENEWED if self._is_accepted(renewed) else RenewalResult.OVERTAKEN

    def _is_renewable(self, statement: DirectoryStatement, keys: TrustedKeys, now: int) -> bool:
        is_valid = self._chain.get_keys(now) is not None and now < statement.content.expires_at
        return is_valid and not keys.statement.is_revoked(statement.signature.key, now)

    def _is_due(self, statement: DirectoryStatement, keys: TrustedKeys, now: int) -> bool:
        content = statement.content
        return (
            now - content.issued_at >= RENEWAL_MS
            or content.key_statement < keys.statement.version
            or self._chain.has_statement_fault()  # another record is where readers look for the newest one
        )

    def _read(self) -> _OwnDocuments:
        """Verify the State's own documents and the topic."""
        now = self._clock()
        documents = self._read_documents(now)
        for version, data in sorted(documents.roots.items()):
            self._chain.receive(make_root_key(version), data, now)
        self._chain.receive(KEYS_KEY, documents.key_statement, now)
        self._topic.read_to_end(lambda key, value: self._chain.receive(key, value, now))
        return documents

    def _read_documents(self, now: int) -> _OwnDocuments:
        keys = self._online_keys.get_trusted_keys(now)
        self._own_version = keys.statement.version
        roots = {
            root.metadata.version: self._read_document(f"root.{root.metadata.version}.json")
            for root in self._folder.read_roots()
        }
        return _OwnDocuments(roots, keys, self._read_document(f"keys.{keys.statement.version}.json"))

    def _read_document(self, name: str) -> bytes:
        return read_file(self._folder.path / name).removesuffix(b"\n")

    def _require_keys(self) -> TrustedKeys:
        keys = self._chain.keys
        if keys is None:
            raise self._chain.find_fault(self._clock()) or InputError(f"{self.state} has no key statement")
        return keys

    def _find_missing(self, documents: _OwnDocuments) -> list[tuple[str, bytes]]:
        """Return the records that the topic lacks: roots, and the key statement if the topic has an older one."""
        published = self._topic.published
        missing = [
            (make_root_key(version), data)
            for version, data in sorted(documents.roots.items())
            if published.get(make_root_key(version)) != data
        ]
        is_newest = self._chain.keys is None or self._chain.keys.digest == documents.keys.digest
        if is_newest and published.get(KEYS_KEY) != documents.key_statement:
            missing.append((KEYS_KEY, documents.key_statement))
        return missing

    def _publish(self, documents: _OwnDocuments, content: StatementContent, now: int) -> DirectoryStatement:
        signing_key = self._online_keys.get_signing_key(KeyRole.DIRECTORY, now)
        key_id, older = signing_key.public_key.key_id, self.older_folder
        if older is not None and key_id not in self._list_usable_ids(now):
            raise InputError(older)  # readers would refuse it
        statement = sign_statement(content, signing_key)
        value = self._framing.frame(SCHEMA, statement.encode())
        records = [*self._find_missing(documents), (self.state, value)]
        publish_records(self._bootstrap, self.state, records, self._properties)
        return statement

    def _list_usable_ids(self, now: int) -> list[str]:
        return [key.key_id for key in self._require_keys().statement.list_usable_keys(KeyRole.DIRECTORY, now)]

    def _is_accepted(self, statement: DirectoryStatement) -> bool:
        self._read()
        return self._chain.statement is not None and self._chain.statement.digest == statement.digest


def _uphold(statement: DirectoryStatement, read_register: Callable[[], Register] | None, now: int) -> bytes | None:
    """Return the encoded entry of a statement, without the acceptances that must no longer be stated."""
    entry = read_entry(statement)
    if entry is None or not entry.standing_acceptances:
        return statement.content.entry
    find_officer = (lambda *_: None) if read_register is None else read_register().find_officer
    upheld, refusals = drop_refused(entry, find_officer, now)
    for refusal in refusals:
        log.warning("%s: it is no longer stated: %s", entry.state, refusal)
    return encode_entry(upheld) if refusals else statement.content.entry
