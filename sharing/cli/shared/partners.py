"""Which States and agencies a command works with: from its options, the partners file and the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sharing.cli.shared.states import read_state
from sharing.errors import InputError
from sharing.packs.library import list_shipped_states
from sharing.settings import Settings
from sharing.topology.partners import Partner, Partners, read_partners

StatesOption = Annotated[
    str | None,
    typer.Option(
        "--states",
        help="Comma-separated country codes. Default: the States in the partners file, or those with a shipped pack.",
    ),
]
PartnersFile = Annotated[
    Path | None,
    typer.Option("--partners", help="YAML with the States and agencies on the cluster. Default: SHARING_PARTNERS."),
]


def parse_states(text: str | None) -> tuple[str, ...]:
    """Parse comma-separated country codes; None means every State with a shipped pack.

    Raises:
        InputError: A code is unknown, or the list is empty.
    """
    if text is None:
        return list_shipped_states()
    states = tuple(read_state("--states", part.strip()) for part in text.split(",") if part.strip())
    if not states:
        raise InputError("--states is empty; give country codes, such as --states CH,DE")
    return states


def choose_partners(settings: Settings, states: str | None, *, partitions: int | None = None) -> Partners:
    """Return the partners from the configured partners file, or default partners if none is configured.

    Args:
        settings: The settings. Default partners have no agencies, except those in the settings.
        states: Comma-separated country codes; only these States are returned.
        partitions: Overrides the number of partitions in the file.

    Raises:
        InputError: A State is unknown or not in the file, or the file is invalid.
    """
    if settings.partners is None:
        partners = Partners.from_states(parse_states(states), settings.partitions, settings.replication)
        if settings.state in partners.states and settings.agency_ids:
            own_entry = {settings.state: Partner(agencies=list(settings.agency_ids))}
            partners = partners.model_copy(update={"states": {**partners.states, **own_entry}})
        return partners
    partners = read_partners(settings.partners)
    if partitions is not None:
        partners = partners.model_copy(update={"partitions": partitions})
    if states is not None:
        chosen = parse_states(states)
        unknown = [state for state in chosen if state not in partners.states]
        if unknown:
            raise InputError(f"--states: {', '.join(unknown)} is not in {settings.partners}; add it there")
        partners = partners.model_copy(update={"states": {state: partners.states[state] for state in chosen}})
    return partners
