"""Accessibility of a page, as axe-core sees it: its rules for WCAG 2.2 A and AA, and its best practices."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import pytest
from selenium import webdriver

from tests.monitoring.tools import ROOT

SCRIPT = ROOT / "build" / "system" / "axe-core" / "axe.min.js"
NODES_MAX = 4

RUN = """
const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ["violations"], runOnly: arguments[0] || undefined})
   .then(found => done(found.violations), error => done([{id: "axe", help: String(error), nodes: []}]));
"""


@cache
def read_axe() -> str:
    """Return axe-core. Without it the test is skipped; with CI=true it fails."""
    if not SCRIPT.exists():
        reason = "axe-core is missing: `make system-packages` unpacks it into build/, with npm"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return SCRIPT.read_text()


def find_violations(driver: webdriver.Chrome, *rules: str) -> list[str]:
    """Return what axe-core finds wrong with the page that is shown, a sentence for each rule.

    Args:
        driver: The browser. Its script is not subject to the page's policy.
        rules: The only rules to apply; all if there are none.
    """
    if not driver.execute_script("return typeof axe === 'object'"):
        driver.execute_script(read_axe())
    only = {"type": "rule", "values": list(rules)} if rules else None
    return [_describe(found) for found in driver.execute_async_script(RUN, only)]


def _describe(found: dict[str, Any]) -> str:
    shown = [f"{' '.join(map(str, node['target']))} ({node.get('failureSummary', '')})" for node in found["nodes"]]
    return f"{found['id']}: {found['help']}: " + "; ".join(shown[:NODES_MAX]).replace("\n", " ")
