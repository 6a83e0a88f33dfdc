"""The partners file: the States on a cluster and their agencies. Topics, ACL rules and manifests are derived from it.

    partitions: 4
    replication: 3
    states:
      CH: {agencies: [fedpol, zurich-police]}
      DE: {}
      JP: {witnesses: [CH, DE], time_stamps: {url: https://tsa.example/rfc3161}}

If a State lists agencies, each agency has a separate topic, to which only that agency may write. The witnesses of a
State are the States that cosign the checkpoints of its audit logs; `time_stamps` names the service that time-stamps
them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from sharing.model.field_validators import CountryCode
from sharing.model.strict_model import StrictModel
from sharing.text_file import read_text_file
from sharing.topology.name_patterns import AGENCY_PATTERN
from sharing.topology.topics import Topic, list_topics
from sharing.topology.witnesses import WitnessPlan, choose_witnesses
from sharing.yaml_files.source import read_yaml, validate_document

DEFAULT_PRODUCE_BYTES = 20_000_000
DEFAULT_FETCH_BYTES = 50_000_000
DEFAULT_REQUEST_PERCENT = 200

_SERVICE_URL: Final = re.compile(
    r"https?://(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?(?:/[\w.~%/?=&,+-]*)?", re.ASCII
)
"""The address must contain neither a user with a password, which would be in every manifest, nor characters that a
shell or Compose would expand."""


def _check_service_url(url: str) -> str:
    if not _SERVICE_URL.fullmatch(url):
        raise ValueError("must be an address such as https://tsa.example/rfc3161, without a user or special characters")
    try:
        is_port = urlsplit(url).port != 0
    except ValueError:
        is_port = False
    if not is_port:
        raise ValueError("must have a port from 1 to 65535, or none")
    return url


def _check_network(network: str) -> str:
    try:
        return str(ip_network(network))
    except ValueError:
        raise ValueError("must be a network such as 192.0.2.0/24 or 2001:db8::/64, or one address") from None


class TimeStampService(StrictModel):
    """The service that time-stamps the checkpoints of a State's audit logs (RFC 3161).

    Attributes:
        url: Its address.
        interval_ms: How long after a time stamp of a log the next one is requested, in milliseconds; None for the value
            of `SHARING_TIME_STAMP_INTERVAL_MS`.
        network: Where it is, in CIDR form: the gate's network policy on Kubernetes permits connections there, to the
            port of the address. None if that policy must not permit any.
    """

    url: Annotated[str, AfterValidator(_check_service_url)]
    interval_ms: int | None = Field(default=None, ge=0)
    network: Annotated[str, AfterValidator(_check_network)] | None = None

    @property
    def port(self) -> int:
        """The port of the address."""
        parts = urlsplit(self.url)
        return parts.port or (443 if parts.scheme == "https" else 80)


class Quotas(StrictModel):
    """How much of each broker one principal may use. A broker delays the answers to a principal that uses more.

    Attributes:
        produce_bytes: Bytes per second to write.
        fetch_bytes: Bytes per second to read.
        request_percent: Time of the broker's request threads, in percent of one thread.
    """

    produce_bytes: int = Field(default=DEFAULT_PRODUCE_BYTES, ge=1)
    fetch_bytes: int = Field(default=DEFAULT_FETCH_BYTES, ge=1)
    request_percent: int = Field(default=DEFAULT_REQUEST_PERCENT, ge=1)

    def config(self) -> dict[str, int]:
        """Return the quotas by Kafka's configuration keys."""
        return {
            "producer_byte_rate": self.produce_bytes,
            "consumer_byte_rate": self.fetch_bytes,
            "request_percentage": self.request_percent,
        }


class Partner(StrictModel):
    """One State on the cluster.

    Attributes:
        agencies: Ids of the agencies that have separate topics; empty if the State's agencies share one topic.
        workers: Number of workers of its gate.
        witnesses: The States that cosign the checkpoints of its audit logs; None for the next two in alphabetical
            order.
        desk_agency: The agency, one of `agencies`, under which its duty desk publishes; None if the desk does not
            publish.
        time_stamps: The service that time-stamps the checkpoints of its audit logs; None for none.
    """

    agencies: list[Annotated[str, Field(pattern=AGENCY_PATTERN)]] = Field(default_factory=list)
    workers: int = Field(default=1, ge=1, le=100)
    witnesses: list[CountryCode] | None = None
    desk_agency: str | None = None
    time_stamps: TimeStampService | None = None


class Partners(StrictModel):
    """The States on one cluster.

    Attributes:
        partitions: Partitions of each topic, except of the directory and the clock, which have one.
        replication: Replicas of each partition.
        quotas: Quotas of each principal.
        states: The States, by country code.
    """

    partitions: int = Field(default=4, ge=1, le=1000)
    replication: int = Field(default=3, ge=1, le=9)
    quotas: Quotas = Quotas()
    states: dict[CountryCode, Partner] = Field(min_length=1)

    @classmethod
    def from_states(cls, states: Iterable[str], partitions: int = 4, replication: int = 1) -> Partners:
        """Return partners with these States, without agencies."""
        return cls(partitions=partitions, replication=replication, states={state: Partner() for state in states})

    @property
    def agencies(self) -> dict[str, list[str]]:
        """The agencies that have separate topics, by State."""
        return {state: partner.agencies for state, partner in self.states.items() if partner.agencies}

    def list_witnesses(self, state: str) -> tuple[str, ...]:
        """Return the States that cosign the checkpoints of a State."""
        partner = self.states.get(state)
        if partner is None:
            return ()
        chosen = choose_witnesses(self.states, state) if partner.witnesses is None else partner.witnesses
        return tuple(sorted(set(chosen)))

    def plan_witnesses(self, state: str) -> WitnessPlan:
        """Return which States witness a State, and which it witnesses."""
        witnessed = tuple(other for other in sorted(self.states) if state in self.list_witnesses(other))
        return WitnessPlan(self.list_witnesses(state), witnessed)

    @property
    def topics(self) -> Mapping[str, Topic]:
        """All topics of the cluster, by name."""
        return list_topics(self.states, self.partitions, self.agencies)


def parse_partners(text: str, source: str) -> Partners:
    """Parse the text of a partners file.

    Args:
        text: The text.
        source: Name of the file, for messages.

    Raises:
        InputError: The text is not a valid partners file; the message names file, line, key and what was expected.
    """
    document = read_yaml(text, source)
    partners = validate_document(document, Partners)
    for state, partner in partners.states.items():
        if len(set(partner.agencies)) < len(partner.agencies):
            raise document.error("an agency is listed twice", ("states", state, "agencies"))
        if partner.desk_agency is not None and partner.desk_agency not in partner.agencies:
            raise document.error("is not one of the agencies of this State", ("states", state, "desk_agency"))
        unknown = sorted(set(partner.witnesses or ()) - partners.states.keys())
        if unknown or state in (partner.witnesses or ()):
            raise document.error("a witness must be another State in this file", ("states", state, "witnesses"))
    return partners


def read_partners(path: Path) -> Partners:
    """Read a partners file.

    Raises:
        InputError: The file cannot be read, or is not valid; the message names file, line, key and what was expected.
    """
    return parse_partners(read_text_file(path), path.name)
