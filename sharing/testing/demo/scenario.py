"""What the demo publishes: the demo cases, and a real MISP event for each State."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from functools import partial
from importlib.resources import as_file
from typing import NamedTuple

from sharing.errors import InputError
from sharing.ids import make_content_id, make_imported_id
from sharing.interop.files import load_profile, read_bytes
from sharing.interop.import_context import ImportContext, PublisherIdentity
from sharing.interop.import_results import ImportResult
from sharing.model.indicator import Indicator
from sharing.testing.samples import sample_conversation, sample_file, sample_profile, sample_scenario
from sharing.yaml_files.source import read_yaml

STATES = ("CH", "DE", "JP", "NL")

EVENTS = {
    "CH": "misp-kryptocibule.json",
    "DE": "glupteba.misp-event.json",
    "JP": "2018-11-20_Zebrocy.json",
    "NL": "2018-11-20_Zebrocy.json",
}
"""The MISP event that each State's agency publishes."""


_DEMO_SECRET = secrets.token_bytes(32)  # a demo's cluster ends with its process


class DemoCase(NamedTuple):
    """A demo case: an indicator with a title."""

    title: str
    indicator: Indicator


def read_demo_cases() -> Iterator[DemoCase]:
    """Yield the demo cases in the order in which they are published.

    Raises:
        InputError: The shipped scenario is damaged.
    """
    yield from _read_cases(sample_scenario())


def read_conversation_cases() -> Iterator[DemoCase]:
    """Yield the cases that are published for the conversations only, in their order.

    Raises:
        InputError: The shipped file is damaged.
    """
    yield from _read_cases(sample_conversation())


def _read_cases(source: tuple[str, str]) -> Iterator[DemoCase]:
    document = read_yaml(*source)
    for index, entry in enumerate(document.data["cases"]):
        try:
            indicator = Indicator.parse({"id": make_content_id(entry["title"]), **entry["indicator"]})
        except InputError as error:
            raise document.error(str(error), ("cases", index)) from None
        yield DemoCase(entry["title"], indicator)


def import_sample_event(state: str) -> ImportResult:
    """Import the MISP event of a State with the sample publishing profile of its agency."""
    with as_file(sample_profile(state)) as path:
        profile = load_profile(path)
    name = EVENTS[state]
    identity = PublisherIdentity(state, "Sample agency")
    make_id = partial(make_imported_id, _DEMO_SECRET, identity.state, identity.agency)
    context = ImportContext(identity, make_id, profile)
    return read_bytes(sample_file(name).read_bytes(), name, context)
