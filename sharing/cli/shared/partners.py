"""Which States and agencies a command works with: from its options, the partners file and the settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from sharing.cli.shared.states import read_state
from sharing.errors import InputError
from sharing.packs.library import list_shipped_states
from sharing.settings import Settings
from sharing.topology.partners import Partner, Partners, read_partners

StatesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--states",
        metavar="STATES",
        help="Country codes, with commas. Default: the States in the partners file, or those with a shipped pack.",
    ),
]
PartnersFile = Annotated[
    Path | None,
    typer.Option("--partners", help="YAML with the States and agencies on the cluster. Default: SHARING_PARTNERS."),
]


def read_states(codes: Sequence[str] | None) -> tuple[str, ...]:
    """Return the States of the option `--states`; without it, every State with a shipped pack.

    Raises:
        InputError: A code is unknown.
    """
    return tuple(read_state("--states", code) for code in codes) if codes else list_shipped_states()


def choose_partners(settings: Settings, states: Sequence[str] | None, *, partitions: int | None = None) -> Partners:
    """Return the partners from the configured partners file, or default partners if none is configured.

    Args:
        settings: The settings. Default partners have no agencies, except those in the settings.
        states: Country codes; only these States are returned. None or empty: all.
        partitions: Overrides the number of partitions in the file.

    Raises:
        InputError: A State is unknown or not in the file, or the file is invalid.
    """
    if settings.partners is None:
        partners = Partners.from_states(read_states(states), settings.partitions, settings.replication)
        if settings.state in partners.states and settings.agency_ids:
            own_entry = {settings.state: Partner(agencies=list(settings.agency_ids))}
            partners = partners.model_copy(update={"states": {**partners.states, **own_entry}})
        return partners
    partners = read_partners(settings.partners)
    if partitions is not None:
        partners = partners.model_copy(update={"partitions": partitions})
    if states:
        chosen = read_states(states)
        unknown = [state for state in chosen if state not in partners.states]
        if unknown:
            raise InputError(f"--states: {', '.join(unknown)} is not in {settings.partners}; add it there")
        partners = partners.model_copy(update={"states": {state: partners.states[state] for state in chosen}})
    return partners
