"""Who witnesses the audit logs of a worker's State, and whom it witnesses: from the settings or the partners file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sharing.errors import SettingsError
from sharing.topology.partners import read_partners
from sharing.topology.witnesses import WitnessPlan

if TYPE_CHECKING:
    from sharing.settings import Settings


def read_witness_plan(settings: Settings, state: str) -> WitnessPlan:
    """Return the plan. Without settings and partners file nobody witnesses anything.

    Raises:
        SettingsError: The State would witness itself.
        InputError: The partners file is invalid.
    """
    planned = WitnessPlan() if settings.partners is None else read_partners(settings.partners).plan_witnesses(state)
    witnesses = planned.witnesses if settings.witness_states is None else settings.witness_states
    witnessed = planned.witnessed if settings.witnessed_states is None else settings.witnessed_states
    if state in witnesses or state in witnessed:
        name = "SHARING_WITNESSES" if state in witnesses else "SHARING_WITNESS_FOR"
        raise SettingsError(f"{name} names {state} itself: only other States can witness its audit logs")
    return WitnessPlan(tuple(sorted(witnesses)), tuple(sorted(witnessed)))
