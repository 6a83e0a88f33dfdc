"""What is published in the demonstration: telling cases, and a real MISP event for each State."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import as_file
from typing import NamedTuple

from sharing._publisher import new_id
from sharing.errors import InputError
from sharing.ids import content_id
from sharing.interop.files import load_profile, read_bytes
from sharing.interop.reading import FileReading, ImportContext, SourceInfo
from sharing.model.indicator import Indicator
from sharing.testing.samples import sample_file, sample_profile, sample_scenario
from sharing.yaml_source import read_yaml

STATES = ("CH", "DE", "JP", "NL")

EVENTS = {
    "CH": "misp-kryptocibule.json",
    "DE": "glupteba.misp-event.json",
    "JP": "2018-11-20_Zebrocy.json",
    "NL": "2018-11-20_Zebrocy.json",
}
"""State to the MISP event that its agency publishes."""


class TellingCase(NamedTuple):
    """One telling case, and its title."""

    title: str
    indicator: Indicator


def telling_cases() -> Iterator[TellingCase]:
    """Yield the telling cases, in the order in which they are published.

    Raises:
        PackError: The shipped scenario is damaged.
    """
    document = read_yaml(*sample_scenario())
    for index, entry in enumerate(document.data["cases"]):
        try:
            indicator = Indicator.read({"id": content_id(entry["title"]), **entry["indicator"]})
        except InputError as error:
            raise document.error(str(error), ("cases", index)) from None
        yield TellingCase(entry["title"], indicator)


def read_event(state: str) -> FileReading:
    """Return what an agency of a State makes of its MISP event, with its publishing profile."""
    with as_file(sample_profile(state)) as path:
        profile = load_profile(path)
    name = EVENTS[state]
    intake = ImportContext(SourceInfo(state, "Sample agency"), new_id, profile)
    return read_bytes(sample_file(name).read_bytes(), name, intake)
