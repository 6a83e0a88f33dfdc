"""Writes `monitoring/alerts.yaml` and `monitoring/dashboards/`: `python -m monitoring.generate [--check]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from monitoring.alerts import GROUPS
from monitoring.dashboard_sources import DASHBOARDS
from monitoring.panels import render_dashboard
from monitoring.rules import render_groups
from sharing.yaml_files.dump import to_yaml

FOLDER = Path(__file__).parent
HEADER = "# Generated from monitoring/alerts/ by `python -m monitoring.generate`. Do not edit: change the source.\n"


def render_alerts(time_scale: float = 1.0) -> str:
    """Return the rule file; a time scale below 1 shortens its durations for a test on a running system."""
    return HEADER + to_yaml(render_groups(GROUPS, time_scale), width=118)


def render_files() -> Mapping[str, str]:
    """Return the text of each generated file, by its path in this folder."""
    return {
        "alerts.yaml": render_alerts(),
        **{f"dashboards/{dashboard.name}.json": render_dashboard(dashboard) for dashboard in DASHBOARDS},
    }


def main() -> None:
    """Write the files. With `--check`, report the files that differ instead, and exit with 1 if there are any."""
    parser = argparse.ArgumentParser(description="Generates the alert rules and dashboards in monitoring/.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is out of date")
    check = parser.parse_args().check
    outdated = []
    for name, text in render_files().items():
        path = FOLDER / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        outdated.append(name)
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for name in outdated:
        sys.stdout.write(f"{'out of date' if check else 'written'}: monitoring/{name}\n")
    sys.exit(1 if check and outdated else 0)


if __name__ == "__main__":
    main()
