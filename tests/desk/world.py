"""The world of the journeys: a Kafka with access control, three States with keys, their officers, and their desks."""

from __future__ import annotations

import secrets
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from unittest.mock import patch

import trustme

from sharing.cli.officers.invite import ENROLMENT_PATH
from sharing.cli.officers.passkeys import read_passkey
from sharing.clients.publisher import Publisher
from sharing.kafka.officer_writer import OfficerWriter
from sharing.officers.changes import OfficerFields, change_officer, countersign, make_record, sign_change
from sharing.officers.invitation import NONCE_BYTES, make_invitation, sign_invitation
from sharing.officers.roles import SUPERVISOR
from sharing.packs.library import find_law
from sharing.passkeys.browser_json import encode_base64url
from sharing.passkeys.passkey import Passkey
from sharing.testing.broker.process import find_free_port
from sharing.testing.demo.cluster import DemoCluster
from sharing.testing.demo.keys import DAYS, read_clock
from sharing.topology.acls import Principal
from sharing.topology.topic_kinds import Role
from tests.desk.browser import DeskBrowser
from tests.desk.chromium import Chromium, hash_public_key
from tests.desk.desk_officers import AGENCY, AUTHORITIES, NAMES, SUPERVISING, DeskOfficer
from tests.desk.published_items import STATES, PublishedItem, list_directory_entries
from tests.faults.children import ChildProcess, make_child_environment
from tests.processors.message_servers import Receiver
from tests.support.soft_authenticator import SoftAuthenticator
from tests.support.waiting import wait_until

START_S: Final = 240.0
"""Longest time in which the broker starts again, while all clients try to connect to it."""

HOST: Final = "localhost"
"""Passkeys are bound to a host name, so the desks are not reached by their address."""

_REGISTER_READ: Final = "the register of officers was read to its end"
"""What a desk logs when officers can sign in."""


@dataclass
class DeskWorld:
    """What runs.

    Attributes:
        cluster: Kafka and workers.
        folder: Folder of files and logs.
        chromium: The browser.
        messages: Receives the escalation messages of all workers.
        ports: Port of each State's desk.
        desks: The desks, by State.
        officers: The officers, by id.
    """

    cluster: DemoCluster
    folder: Path
    chromium: Chromium
    messages: Receiver
    ports: Mapping[str, int]
    trusted: str = ""
    desks: dict[str, ChildProcess] = field(default_factory=dict)
    officers: dict[str, DeskOfficer] = field(default_factory=dict)

    def origin(self, state: str) -> str:
        """Return the origin of a State's desk."""
        return make_origin(self.ports[state])

    def console(self, state: str) -> dict[str, str]:
        """Return the librdkafka properties of a State's console."""
        return self.cluster.client_properties(Role.CONSOLE, state)

    def invite(self, state: str, officer: str) -> str:
        """Return the path of the desk to which a registrar invites an officer, to make a passkey there."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        invitation = make_invitation(state, officer, self.origin(state), nonce=nonce, days=DAYS, now=read_clock())
        document = sign_invitation(invitation, self.cluster.keys.states[state].registrars[0])
        return f"{ENROLMENT_PATH}#{encode_base64url(document.to_bytes())}"

    def read_passkey(self, state: str, officer: str, file: Path, fingerprint: str) -> Passkey:
        """Return the passkey of the file that a desk has made, as `sharing officers add --passkey` does."""
        keys = self.cluster.keys.states[state].online.get_trusted_keys(read_clock())
        return read_passkey(file, fingerprint, officer, keys, read_clock())

    def enter_officer(
        self, state: str, officer: str, name: str, passkeys: Sequence[Passkey], roles: Sequence[str] | None = None
    ) -> None:
        """Let two registrars enter an officer: with every role of the State's law, if no other is given."""
        keys = self.cluster.keys.states[state]
        trusted = keys.online.get_trusted_keys(read_clock())
        writer = OfficerWriter(self.cluster.bootstrap, trusted, self.console(state), clock=read_clock)
        fields = OfficerFields(
            name=name,
            agency=AGENCY,
            authority=AUTHORITIES[state],
            roles=tuple(find_law(state).pack.approvers if roles is None else roles),
            passkeys=tuple(passkeys),
        )
        change = change_officer(state, officer, None, fields, days=DAYS, now=read_clock())
        first, second = keys.registrars
        document = countersign(sign_change(change, first), change.entry, second)
        writer.publish(officer, make_record(document, change.grant))

    def publish(self, item: PublishedItem) -> PublishedItem:
        """Publish an item, as its agency does."""
        self.publish_all([item])
        return item

    def publish_all(self, items: Sequence[PublishedItem]) -> None:
        """Publish items of one agency."""
        source = items[0].indicator.source
        properties = self.cluster.client_properties(Role.AGENCY, source.state)
        pins = self.cluster.keys.pins
        with Publisher(
            self.cluster.bootstrap, source.state, source.agency, properties=properties, pins=pins
        ) as publisher:
            for item in items:
                publisher.publish(item.indicator)

    @contextmanager
    def open_browser(self, state: str) -> Iterator[DeskBrowser]:
        """Open a browser before a State's desk during the block. It has no passkey."""
        driver = self.chromium.start(self.trusted)
        try:
            browser = DeskBrowser(driver, self.origin(state))
            yield browser
            browser.check_console()
        finally:
            driver.quit()

    @contextmanager
    def browse(self, officer: str) -> Iterator[DeskBrowser]:
        """Open the browser of an officer during the block. It has the officer's passkey, and nobody is signed in."""
        person = self.officers[officer]
        device = person.device
        with self.open_browser(person.state) as browser:
            browser.add_passkey(device.credential_id, person.private_key, device.rp_id, person.id.encode())
            yield browser

    @contextmanager
    def without_broker(self) -> Iterator[None]:
        """Stop the broker during the block. Afterwards it runs again, with the certificates that it had."""
        secure = self.cluster._secure_kafka
        assert secure is not None
        secure.broker.kill()
        try:
            yield
        finally:
            keeps = patch("sharing.testing.broker.certificates.make_certificates")
            with keeps, patch("sharing.testing.broker.kafka._READY_S", START_S):
                secure.broker.start()

    def supervise(self) -> None:
        """Start the workers again that have ended because the broker was away, as their supervisor does."""
        self.cluster.restart_ended_gates()

    def find_message(self, kind: str) -> str:
        """Return the link of an escalation message about a question of this kind, as soon as there is one."""
        links: list[str] = []

        def look() -> bool:
            self.cluster.check_gates()
            links[:] = [
                str(question["link"])
                for document in self.messages.documents
                for question in document["questions"]
                if question["kind"] == kind and question["urgency"] == "EMERGENCY"
            ]
            return bool(links)

        wait_until(look, f"a message about {kind}")
        return links[-1]

    def make_desk(self, state: str) -> ChildProcess:
        """Return the desk of a State, not yet started."""
        keys = self.cluster.keys
        own = keys.states[state]
        agency = self.cluster.process_settings(Principal(Role.AGENCY, state))
        settings = {
            **self.cluster.process_settings(Principal(Role.CONSOLE, state)),
            **keys.environment(state),
            "SHARING_STATE": state,
            "SHARING_READER_KEY": str(own.reader_file),
            "SHARING_READER_PASSPHRASE_FILE": str(own.reader_passphrase_file),
            "SHARING_READER_NAME": "desk",
            "SHARING_READER_PURPOSE": "duty",
            "SHARING_DESK_AGENCY": AGENCY,
            "SHARING_DESK_AGENCY_CERTIFICATE": agency["SHARING_TLS_CERTIFICATE"],
            "SHARING_DESK_AGENCY_KEY": agency["SHARING_TLS_KEY"],
        }
        command = [
            sys.executable, "-m", "sharing", "desk",
            "--state", state, "--host", "127.0.0.1", "--port", str(self.ports[state]), "--origin", self.origin(state),
            "--tls-certificate", str(self.folder / "desk.pem"), "--tls-key", str(self.folder / "desk.key"),
        ]  # fmt: skip
        return ChildProcess(f"desk-{state.lower()}", command, make_child_environment(**settings), self.folder)

    def await_desk(self, state: str) -> None:
        """Wait until a desk answers, and officers can sign in."""
        desk = self.desks[state]

        def answers() -> bool:
            self.cluster.check_gates()
            assert desk.is_alive(), desk.read_log_tail()
            has_read_register = _REGISTER_READ in desk.log.read_text(errors="replace")
            return has_read_register and is_healthy(self.ports[state], self.folder / "ca.pem")

        wait_until(answers, f"the desk of {state} answers, and has read the register of officers")


def make_origin(port: int) -> str:
    """Return the origin of a desk on this machine."""
    return f"https://{HOST}:{port}"


def is_healthy(port: int, authority: Path) -> bool:
    """Return whether a desk answers that it is well."""
    context = ssl.create_default_context(cafile=str(authority))
    try:
        with urllib.request.urlopen(f"{make_origin(port)}/healthz", timeout=5, context=context) as response:  # noqa: S310
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def write_certificate(folder: Path) -> bytes:
    """Write the certificate of all desks, its key, and the authority's; return the certificate."""
    authority = trustme.CA()
    issued = authority.issue_cert(HOST)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    issued.private_key_pem.write_to_path(str(folder / "desk.key"))
    (folder / "desk.key").chmod(0o600)
    for pem in issued.cert_chain_pems:
        pem.write_to_path(str(folder / "desk.pem"), append=True)
    return issued.cert_chain_pems[0].bytes()


@contextmanager
def run_world(folder: Path, chromium: Chromium) -> Iterator[DeskWorld]:
    """Run the world during the block."""
    ports = {state: find_free_port() for state in STATES}
    messages = Receiver()
    with ExitStack() as stack:
        webhook = stack.enter_context(messages.run())
        told = {
            state: {"SHARING_WEBHOOK_URL": webhook, "SHARING_ASK_LINK": f"{make_origin(port)}/asks"}
            for state, port in ports.items()
        }
        entries = list_directory_entries()
        cluster = DemoCluster("kafka", STATES, entries, report_progress, secure=True, worker_settings=told)
        stack.enter_context(cluster)
        world = DeskWorld(cluster, folder, chromium, messages, ports, hash_public_key(write_certificate(folder)))
        for officer, name in NAMES.items():
            state = officer[:2].upper()
            device = SoftAuthenticator(officer, origin=world.origin(state))
            roles = (SUPERVISOR,) if officer == SUPERVISING else None
            world.enter_officer(state, officer, name, [device.passkey], roles)
            world.officers[officer] = DeskOfficer(officer, state, name, device)
        for state in STATES:
            world.desks[state] = stack.enter_context(world.make_desk(state))
        for state in STATES:
            world.await_desk(state)
        yield world


def report_progress(text: str) -> None:
    """Say what is being started, and when, for a run that hangs."""
    print(f"{time.monotonic():.1f} {text}")
