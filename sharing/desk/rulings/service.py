"""Rulings: prepared, signed with the officer's passkey, written once, and followed. Any thread may call it.

What is signed is made here and remembered in the officer's session under an id that counts once. So what a browser
sends back is an assertion and nothing else: no part of a ruling can be changed between what was said and what was
signed.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sharing.console.connection import ConsoleConnection
from sharing.console.ruling_bus import open_ruling_bus
from sharing.console.ruling_submission import AnyAct, frame_ruling, make_ruling
from sharing.desk.board.asked_law import AskedLaw
from sharing.desk.board.board_view import OpenAsks
from sharing.desk.broker_state import BrokerState
from sharing.desk.changes import ChangeFeed
from sharing.desk.rulings.outcome_report import RulingReport, RulingStatus, make_report
from sharing.desk.rulings.prepared_ruling import PreparedRuling, SubmittedRuling
from sharing.desk.rulings.ruling_watch import RulingWatch
from sharing.desk.settings import DeskSettings
from sharing.desk.web.sessions import SignedIn
from sharing.errors import InputError
from sharing.kafka.ruling_writer import write_ruling
from sharing.passkeys.assertion import Assertion, verify_assertion
from sharing.passkeys.faults import PasskeyError
from sharing.passkeys.passkey import Passkey
from sharing.rulings.cover_ending import EndingCover
from sharing.rulings.ruling import AskReference, Opening
from sharing.rulings.signing import assemble_ruling, compute_ruling_challenge
from sharing.sentences import say

WAIT_SECONDS: Final = 3.0
"""How long the answer to a browser waits for the worker. What comes later, the page asks for."""

SUBMITTED_MAX: Final = 2_000


class RulingService:
    """Prepares rulings, and writes those that officers have signed.

    Args:
        console: The connection.
        settings: How the desk is served: to its origin the passkeys are bound.
        read_clock: Returns the time in UTC milliseconds.
        board: The open Asks.
        asked_law: By which law they are opened.
        broker: Is told when the acts cannot be followed.
        changes: Is told when there is news of a ruling.
    """

    def __init__(
        self,
        console: ConsoleConnection,
        settings: DeskSettings,
        read_clock: Callable[[], int],
        board: OpenAsks,
        asked_law: AskedLaw,
        broker: BrokerState | None = None,
        changes: ChangeFeed | None = None,
    ) -> None:
        self.console = console
        self.read_clock = read_clock
        self.board = board
        self.asked_law = asked_law
        self._settings = settings
        feed = changes or ChangeFeed()
        self.watch = RulingWatch(console, read_clock, broker or BrokerState(), lambda: _announce(feed))
        self._submitted: OrderedDict[str, SubmittedRuling] = OrderedDict()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin to follow what the worker does. Returns at once."""
        self.watch.start()

    def close(self) -> None:
        """Stop following."""
        self.watch.close()

    def prepare(
        self, signed_in: SignedIn, act: AnyAct, items: Mapping[int, str], text: str = "", summary: Sequence[str] = ()
    ) -> PreparedRuling:
        """Return a ruling that waits for the officer's signature.

        Args:
            signed_in: The officer.
            act: What is ruled. It was checked: what the worker would refuse is not signed.
            items: For each partition, an item that the ruling is about.
            text: The officer's words, for the file.
            summary: What it will do, in sentences.

        Raises:
            InputError: It is none that can be signed, or the officer has no passkey of this desk.
        """
        passkeys = self._list_passkeys(signed_in)
        if not passkeys:
            raise InputError(say("You have no passkey for this desk; ask a registrar for an invitation."))
        ruling = make_ruling(open_ruling_bus(self.console), signed_in.officer.id, act, text, self.read_clock())
        made = PreparedRuling(
            id="",
            ruling=ruling,
            items=dict(items),
            summary=tuple(summary),
            challenge=compute_ruling_challenge(ruling),
            rp_id=self._settings.rp_id,
            credentials=tuple(bytes.fromhex(passkey.credential_id) for passkey in passkeys),
        )
        kept_id = signed_in.session.keep(made, ruling.expires_at)
        return PreparedRuling(
            kept_id, made.ruling, made.items, made.summary, made.challenge, made.rp_id, made.credentials
        )

    def submit(
        self, signed_in: SignedIn, ruling_id: str, assertion: Assertion, wait_seconds: float = WAIT_SECONDS
    ) -> RulingReport:
        """Write a prepared ruling with the officer's signature, and return what became of it so far.

        Sent twice, it is written once: the second time only reports.

        Args:
            signed_in: The officer.
            ruling_id: Id of the prepared ruling.
            assertion: What the officer's passkey has signed.
            wait_seconds: How long to wait for the worker.

        Raises:
            InputError: It was prepared in no such session, or too long ago; an Ask has ended meanwhile; or the
                assertion is not the officer's on this ruling. Nothing was written.
            SharingError: It cannot be sealed, or the broker has not confirmed it; `send_again` writes the same ruling.
        """
        with self._lock:
            submitted = self._submitted.get(ruling_id)
            if submitted is None:
                submitted = self._sign(signed_in, ruling_id, assertion)
                self._submitted[ruling_id] = submitted
                self._forget_old()
                is_first = True
            else:
                self._require_own(signed_in, submitted)
                is_first = False
        if is_first:
            self._write(submitted)
        return self._report(ruling_id, submitted, wait_seconds)

    def send_again(self, signed_in: SignedIn, ruling_id: str, wait_seconds: float = WAIT_SECONDS) -> RulingReport:
        """Write the same signed record again that the broker has not confirmed. Two copies of it count once.

        Raises:
            InputError: No such ruling was signed, or its time is over.
            InfrastructureError: The broker has not confirmed it again.
        """
        submitted = self._require_submitted(signed_in, ruling_id)
        if not submitted.is_written:
            if self.read_clock() >= submitted.expires_at:
                raise InputError(
                    say("The time in which this signature counts is over, and nothing was sent; rule and sign again.")
                )
            self._write(submitted)
        return self._report(ruling_id, submitted, wait_seconds)

    def report(self, signed_in: SignedIn, ruling_id: str) -> RulingReport:
        """Return what became of a ruling so far.

        Raises:
            InputError: The officer has signed no such ruling here.
        """
        return self._report(ruling_id, self._require_submitted(signed_in, ruling_id), 0.0)

    def _sign(self, signed_in: SignedIn, ruling_id: str, assertion: Assertion) -> SubmittedRuling:
        """Return a prepared ruling with its signature. It cannot be signed a second time, whatever comes of this.

        Raises:
            InputError: As `submit`.
        """
        prepared = signed_in.session.take(ruling_id, self.read_clock())
        if not isinstance(prepared, PreparedRuling) or prepared.ruling.officer != signed_in.officer.id:
            raise InputError(
                say(
                    "This was signed already, is not yours, or was prepared too long ago; rule again. Nothing was sent."
                )
            )
        self._require_current(prepared.ruling.act)
        used = assertion.credential_id.hex()
        passkey = next((each for each in self._list_passkeys(signed_in) if each.credential_id == used), None)
        if passkey is None:
            raise InputError(say("The passkey is not one of yours for this desk; use another one. Nothing was sent."))
        try:
            verify_assertion(passkey, assertion, prepared.challenge)
        except PasskeyError as error:
            reason = say(str(error))
            raise InputError(say("The signature was refused (%(reason)s). Nothing was sent.", reason=reason)) from None
        record = assemble_ruling(prepared.ruling, assertion)
        asks = {reference.ask: reference.partition for reference in list_references(prepared.ruling.act)}
        return SubmittedRuling(
            signed_in.officer.id, prepared.challenge.hex(), record, asks, prepared.items, prepared.ruling.expires_at
        )

    def _require_current(self, act: AnyAct) -> None:
        """Refuse a ruling about Asks that have ended, or are in another round, since it was prepared.

        Where one of many has, the worker says so of that one, and the others are answered.

        Raises:
            InputError: None of them is as it was.
        """
        references = list_references(act)
        known = [self.board.find(reference.ask) for reference in references]
        if not references or any(
            found is not None and found.ask.nonce == reference.nonce
            for reference, found in zip(references, known, strict=True)
        ):
            return
        if all(found is None for found in known):
            sentence = say(
                "The question has ended in the meantime: it was answered or cancelled, or its time is over. Nothing "
                "was sent."
            )
        else:
            sentence = say(
                "The question was asked again in the meantime; reload the page and read it. Nothing was sent."
            )
        raise InputError(sentence, field="asks")

    def _write(self, submitted: SubmittedRuling) -> None:
        """Write the copies of a ruling, unless another request just has.

        Raises:
            InfrastructureError: They were not confirmed.
        """
        with submitted.writing:
            if not submitted.is_written:
                self._write_copies(submitted)

    def _write_copies(self, submitted: SubmittedRuling) -> None:
        bus = open_ruling_bus(self.console)
        framed = frame_ruling(bus, submitted.record)
        self.watch.expect(submitted.digest, submitted.asks, submitted.items)
        written = write_ruling(bus.bootstrap, bus.state, framed, submitted.items, bus.properties)
        self.watch.note_written(submitted.digest, written)
        submitted.is_written = True
        submitted.record = b""  # thousands are remembered

    def _report(self, ruling_id: str, submitted: SubmittedRuling, wait_seconds: float) -> RulingReport:
        if not submitted.is_written:
            return RulingReport(ruling_id, submitted.digest, RulingStatus.UNSENT, ())
        return make_report(ruling_id, submitted.digest, self.watch.wait(submitted.digest, wait_seconds))

    def _require_submitted(self, signed_in: SignedIn, ruling_id: str) -> SubmittedRuling:
        with self._lock:
            submitted = self._submitted.get(ruling_id)
        if submitted is None:
            raise InputError(_unknown())
        self._require_own(signed_in, submitted)
        return submitted

    def _require_own(self, signed_in: SignedIn, submitted: SubmittedRuling) -> None:
        if submitted.officer != signed_in.officer.id:
            raise InputError(_unknown())

    def _list_passkeys(self, signed_in: SignedIn) -> tuple[Passkey, ...]:
        """Return the officer's passkeys that are bound to this desk: those of another desk cannot be used here."""
        settings = self._settings
        return tuple(
            passkey
            for passkey in signed_in.officer.passkeys
            if (passkey.rp_id, passkey.origin) == (settings.rp_id, settings.origin)
        )

    def _forget_old(self) -> None:
        while len(self._submitted) > SUBMITTED_MAX:
            self._submitted.popitem(last=False)


def _unknown() -> str:
    return say("You have signed no such ruling here, or long ago; the page of the item says what was done.")


def _announce(feed: ChangeFeed) -> None:
    feed.announce()


def list_references(act: AnyAct) -> tuple[AskReference, ...]:
    """Return the Asks that an act names."""
    return () if isinstance(act, Opening | EndingCover) else act.asks
