"""What the gate would decide, worked out here: for a dry run, and for saying who is concerned.

The same law engine as the gate's, with the law pack that is installed here; the gate's own decision counts.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sharing.cli.console import err
from sharing.interop.reading import PlacedIndicator
from sharing.kafka.directory_topic import DirectoryReader, read_entries
from sharing.law.decision_context import DecisionContext
from sharing.model.directory import Directory
from sharing.model.vocabulary import Outcome
from sharing.packs.library import Law, read_text
from sharing.relevance.nexus import GeoLookup, no_lookup
from sharing.serialization.schema_registry import open_framing
from sharing.settings import Settings
from sharing.testing.samples import sample_directory


@dataclass(slots=True)
class Forecast:
    """Counts of what would come of some indicators.

    Attributes:
        indicators: Indicators by the outcome under which each counts.
        recipients: For each State, indicators by outcome.
        reasons: How often each State would get an outcome for the same reason.
    """

    indicators: Counter[Outcome] = field(default_factory=Counter)
    recipients: dict[str, Counter[Outcome]] = field(default_factory=lambda: defaultdict(Counter))
    reasons: Counter[tuple[str, Outcome, str]] = field(default_factory=Counter)


def read_directory(
    file: Path | None, settings: Settings | None, properties: Mapping[str, str] | None = None
) -> Directory:
    """Return the directory: of a file, else of the bus, else the sample, which is said.

    Args:
        file: YAML with the States' entries.
        settings: Name the bus, where it is to be asked.
        properties: Further librdkafka properties, such as those of TLS.

    Raises:
        SharingError: It cannot be read.
    """
    if file is None and settings is not None and settings.bootstrap is not None:
        reader = DirectoryReader(settings.bootstrap, properties, framing=open_framing(settings, None))
        try:
            return reader.read_to_end()
        finally:
            reader.close()
    if file is None:
        err.print("authorities and interests are those of the sample directory; --directory names another")
    text, name = sample_directory() if file is None else (read_text(file), file.name)
    return Directory({entry.state: entry for entry in read_entries(text, name)})


def forecast(
    law: Law, directory: Directory, placed: Iterable[PlacedIndicator], locate: GeoLookup = no_lookup
) -> Forecast:
    """Decide some indicators as of now, and count; `locate` tells the country of an IP address."""
    now_ms = int(time.time() * 1000)
    sitting = DecisionContext.open(law.pack, law.treaties, directory, now_ms, locate)
    found = Forecast()
    for entry in placed:
        verdict = sitting.decide(entry.indicator.to_wire(), now_ms)
        found.indicators[verdict.outcome] += 1
        for recipient in verdict.recipients:
            found.recipients[recipient.state][recipient.outcome] += 1
            found.reasons[(recipient.state, recipient.outcome, recipient.why)] += 1
    return found
