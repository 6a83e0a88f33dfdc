"""Connects to the broker and sends the checked items: at least once, or, with a receipt, exactly once."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from sharing.cli.publish.loading import BulkLoad, open_load
from sharing.cli.publish.publishing import ItemFates, publish_items
from sharing.cli.publish.receipt import Receipt, make_begun_line
from sharing.cli.publish.report import say_that_nothing_is_published
from sharing.cli.shared.console import progress_bar
from sharing.cli.shared.instants import read_clock
from sharing.clients.bulk_publisher import BulkPublisher
from sharing.clients.publisher import Publisher
from sharing.clients.publisher_records import find_publishing_topic
from sharing.errors import InputError
from sharing.kafka.clients import look_up_topics
from sharing.kafka.directory_pins import read_directory_pins
from sharing.serialization.schema_registry import load_framing

if TYPE_CHECKING:
    from pathlib import Path

    from sharing.cli.publish.first_pass import CheckedInput
    from sharing.cli.publish.held_signals import HeldSignals
    from sharing.interop.import_context import PublisherIdentity
    from sharing.settings import Settings


def open_receipt(path: Path, identity: PublisherIdentity) -> Receipt:
    """Return the receipt of an earlier run.

    Raises:
        InputError: There is none, it is in use, it is no receipt, or it is that of another agency.
    """
    receipt = Receipt.open(path)
    state, agency = receipt.content.publisher
    if (state, agency) != (identity.state, identity.agency):
        receipt.close()
        raise InputError(f"{path}: is the receipt of a load of agency {agency!r} of {state}; publish as that one")
    return receipt


def read_begin(path: Path, identity: PublisherIdentity) -> str:
    """Return when the load of a receipt was begun.

    Raises:
        InputError: As `open_receipt`.
    """
    with closing(open_receipt(path, identity)) as receipt:
        return receipt.content.begun_at


def find_own_agency(identity: PublisherIdentity, servers: str, tls: Mapping[str, str]) -> str:
    """Return the agency if it has a topic of its own, and so may publish for itself only; "" if agencies share one.

    Raises:
        InfrastructureError: No broker answers, or the topic does not exist.
    """
    _, is_own = find_publishing_topic(identity.state, identity.agency, look_up_topics(servers, tls))
    return identity.agency if is_own else ""


def send_items(
    checked: CheckedInput,
    identity: PublisherIdentity,
    servers: str,
    tls: Mapping[str, str],
    settings: Settings,
    held: HeldSignals,
) -> ItemFates:
    """Publish the items.

    Args:
        checked: The items.
        identity: The publisher.
        servers: Kafka bootstrap servers.
        tls: Further librdkafka properties.
        settings: The settings.
        held: Keeps the signals that arrive while nothing may be interrupted.

    Raises:
        InfrastructureError: No broker answers, the State's topic does not exist, or it has announced no valid seal key:
            nothing was published.
        InputError: The State's root is not pinned: nothing was published.
    """
    with say_that_nothing_is_published(), held.released():
        framing = load_framing(settings, identity.state)
        pins = read_directory_pins(settings) if settings.seal_to_worker else None
        publisher = Publisher(
            servers, identity.state, identity.agency,
            properties=tls, framing=framing, pins=pins, state_folder=settings.state_folder,
        )  # fmt: skip
    with progress_bar("publishing", len(checked.spool)) as set_done:
        fates = ItemFates(checked.spool, set_done)
        publish_items(publisher, checked, fates, held)
    return fates


def send_load(
    checked: CheckedInput,
    identity: PublisherIdentity,
    servers: str,
    tls: Mapping[str, str],
    settings: Settings,
    receipt: Path,
    held: HeldSignals,
) -> ItemFates:
    """Publish the items that a receipt does not show; it is made if it does not exist.

    Args:
        checked: The items.
        identity: The publisher.
        servers: Kafka bootstrap servers.
        tls: Further librdkafka properties.
        settings: The settings.
        receipt: The receipt.
        held: Keeps the signals that arrive while nothing may be interrupted.

    Raises:
        InfrastructureError: As `send_items`, or the load cannot be continued: nothing was published.
        InputError: As `send_items`, or the receipt is not that of these files: nothing was published.
    """

    def make_publisher(load: str) -> BulkPublisher:
        framing = load_framing(settings, identity.state)
        pins = read_directory_pins(settings) if settings.seal_to_worker else None
        return BulkPublisher(
            servers, identity.state, identity.agency, load,
            properties=tls, framing=framing, pins=pins, state_folder=settings.state_folder,
        )  # fmt: skip

    with ExitStack() as closed_at_end:
        with say_that_nothing_is_published(), held.released():
            earlier = None
            if receipt.exists():
                earlier = closed_at_end.enter_context(closing(open_receipt(receipt, identity)))
            load, publisher = open_load(make_publisher, None if earlier is None else earlier.content)
            closed_at_end.callback(publisher.close)
            names = (identity.state, identity.agency)
            begun = make_begun_line(
                load, publisher.cluster, publisher.topic_id, names, checked.files, checked.digests, read_clock()
            )
            opened = earlier or closed_at_end.enter_context(closing(Receipt.create(receipt, begun)))
            set_done = closed_at_end.enter_context(progress_bar("publishing", len(checked.spool)))
            fates = ItemFates(checked.spool, set_done)
            bulk_load = BulkLoad(publisher, opened, checked, fates)
            if earlier is not None:
                bulk_load.begin(begun)
        bulk_load.publish_items(held)
    return fates
