"""Writes `monitoring/alerts.yaml` and `monitoring/dashboards/`: `python -m monitoring.generate [--check]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from monitoring.alerts import GROUPS
from monitoring.boards import BOARDS
from monitoring.panels import render_board
from monitoring.rules import render_rules
from sharing.yaml_dump import to_yaml

FOLDER = Path(__file__).parent
HEAD = "# Made from monitoring/alerts/ by `python -m monitoring.generate`: change that, not this.\n"


def render_alerts(scale: float = 1.0) -> str:
    """Return the rule file; with a scale below 1, for a rehearsal in a faster time."""
    return HEAD + to_yaml(render_rules(GROUPS, scale), width=118)


def render_files() -> Mapping[str, str]:
    """Return the text of each file that is made, by its path in this folder."""
    return {
        "alerts.yaml": render_alerts(),
        **{f"dashboards/{board.name}.json": render_board(board) for board in BOARDS},
    }


def main() -> None:
    """Write the files, or with `--check` say which differ and exit with 1."""
    parser = argparse.ArgumentParser(description="Makes the rules and dashboards of this folder.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where a file differs")
    check = parser.parse_args().check
    different = []
    for name, text in render_files().items():
        path = FOLDER / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        different.append(name)
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for name in different:
        sys.stdout.write(f"{'differs' if check else 'written'}: monitoring/{name}\n")
    sys.exit(1 if check and different else 0)


if __name__ == "__main__":
    main()
