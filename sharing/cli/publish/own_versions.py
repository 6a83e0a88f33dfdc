"""The versions of the agency's own items of which its gate has told it: older ones are not published any more.

Only items with a version above 1 matter. The gate withholds an older version in any case, so a topic that takes too
long to read before each run is not read to its end.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from sharing.cli.shared.agency_connection import connect_agency
from sharing.cli.shared.console import err
from sharing.cli.shared.unreadable import print_unreadable
from sharing.errors import InfrastructureError
from sharing.kafka.outcome_reader import choose_partitions
from sharing.kafka.unreadable_records import Unreadable
from sharing.outcomes.outcome import UNKNOWN_AGENCY, QuarantinedOutcome

if TYPE_CHECKING:
    from sharing.interop.import_context import PublisherIdentity
    from sharing.settings import Settings

READ_SECONDS_MAX: Final = 10.0

_CONSEQUENCE: Final = (
    "if what was not read has a higher version of an item, the item is published, and the gate withholds it"
)


def read_own_versions(
    settings: Settings, publisher: PublisherIdentity, servers: str, properties: Mapping[str, str]
) -> dict[str, int]:
    """Return the highest version of each of the agency's items that has one above 1.

    Args:
        settings: The settings.
        publisher: State and agency.
        servers: Kafka bootstrap servers.
        properties: Further librdkafka properties, such as those of TLS.

    Returns:
        Version by id; none if the cluster has no topic of outcomes that is visible here.
    """
    versions: dict[str, int] = {}
    unreadable: Unreadable = []
    deadline = time.monotonic() + READ_SECONDS_MAX
    try:
        connection = connect_agency(settings, publisher.state, publisher.agency, servers, properties)
    except InfrastructureError:
        return versions  # there is no such topic, or no broker answers, which is reported soon
    try:
        with connection.open_reader(choose_partitions(connection.topic), unreadable) as reader:
            for outcomes in reader.read_to_end():
                for outcome in outcomes:
                    version, identity = outcome.revision.version, outcome.indicator_id
                    # What is in quarantine was not processed, and may be of another agency.
                    if isinstance(outcome.told, QuarantinedOutcome) or outcome.agency == UNKNOWN_AGENCY:
                        continue
                    if identity is not None and version > versions.get(identity, 1):
                        versions[identity] = version
                if time.monotonic() > deadline:
                    err.print(f"note: {connection.topic.name} was not read to its end; {_CONSEQUENCE}")
                    break
    except InfrastructureError as error:
        err.print(f"note: {error}; {_CONSEQUENCE}")
    if print_unreadable(unreadable):
        err.print(f"note: {_CONSEQUENCE}")
    return versions
