"""A worker serves the metrics of every subject, whatever it does."""

from __future__ import annotations

from pkgutil import iter_modules

import sharing.telemetry
from sharing.telemetry.metrics import REGISTRY, SUBJECTS

OF_CLIENTS = {"client_metrics"}


def test_every_module_of_metrics_is_served() -> None:
    """A module that is not listed would show its metrics only in workers that happen to import it."""
    found = {module.name for module in iter_modules(sharing.telemetry.__path__) if module.name.endswith("_metrics")}
    assert found - OF_CLIENTS == {subject.__name__.rpartition(".")[2] for subject in SUBJECTS}


def test_every_subject_has_metrics_in_the_registry() -> None:
    registered = set(REGISTRY._names_to_collectors.values())
    for subject in SUBJECTS:
        assert registered & {value for value in vars(subject).values() if hasattr(value, "collect")}
