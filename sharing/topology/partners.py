"""Who shares a cluster: its States and their agencies, as one file from which topics, rights and deployment follow.

    partitions: 4
    replication: 3
    states:
      CH: {agencies: [fedpol, zurich-police]}
      DE: {}

Where a State lists agencies, each has a topic of its own that nobody else may write to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from sharing.law.treaties import country_code
from sharing.model.strict import StrictModel
from sharing.packs.library import read_text
from sharing.topology.topics import AGENCY_PATTERN, Topic, topics_for
from sharing.yaml_source import read_yaml, validate

DEFAULT_PRODUCE_BYTES = 20_000_000
DEFAULT_FETCH_BYTES = 50_000_000


class Quotas(StrictModel):
    """Bytes a second that one principal may write to and read from each broker."""

    produce_bytes: int = Field(default=DEFAULT_PRODUCE_BYTES, ge=1)
    fetch_bytes: int = Field(default=DEFAULT_FETCH_BYTES, ge=1)


class Partner(StrictModel):
    """One State.

    Attributes:
        agencies: Ids of the agencies that publish each to a topic of its own; empty where they share one.
        workers: Workers of its gate.
    """

    agencies: list[Annotated[str, Field(pattern=AGENCY_PATTERN)]] = Field(default_factory=list)
    workers: int = Field(default=1, ge=1, le=100)


class Partners(StrictModel):
    """The States on one cluster.

    Attributes:
        partitions: Of each topic but the directory.
        replication: Replicas of each partition.
        quotas: Of each principal that is not an operator.
        states: By country code.
    """

    partitions: int = Field(default=4, ge=1, le=1000)
    replication: int = Field(default=3, ge=1, le=9)
    quotas: Quotas = Quotas()
    states: dict[Annotated[str, BeforeValidator(country_code)], Partner] = Field(min_length=1)

    @classmethod
    def of(cls, states: Iterable[str], partitions: int = 4, replication: int = 1) -> Partners:
        """Return partners that list no agencies."""
        return cls(partitions=partitions, replication=replication, states={state: Partner() for state in states})

    @property
    def agencies(self) -> dict[str, list[str]]:
        """By State, the agencies that have a topic of their own."""
        return {state: partner.agencies for state, partner in self.states.items() if partner.agencies}

    @property
    def topics(self) -> Mapping[str, Topic]:
        """Every topic of their cluster, by name."""
        return topics_for(self.states, self.partitions, self.agencies)


def parse_partners(text: str, source: str) -> Partners:
    """Read a partners file.

    Raises:
        PackError: It is not sound; the message tells file, line, key and what was expected.
    """
    document = read_yaml(text, source)
    partners = validate(document, Partners)
    for state, partner in partners.states.items():
        if len(set(partner.agencies)) < len(partner.agencies):
            raise document.error("an agency stands twice", ("states", state, "agencies"))
    return partners


def read_partners(path: Path) -> Partners:
    """Read a partners file.

    Raises:
        PackError: It is not sound; the message tells file, line, key and what was expected.
        InputError: It cannot be read.
    """
    return parse_partners(read_text(path), path.name)
