"""Treaty tables for tests: a small one, and copies of it with one fault."""

from __future__ import annotations

import datetime as dt
from importlib import resources

import pytest

from sharing.errors import PackError
from sharing.law.reading.treaty_reader import parse_treaties
from sharing.law.treaties import TreatyTable

TEXT = resources.files("sharing.packs").joinpath("shipped", "treaties.yaml").read_text(encoding="utf-8")
TODAY = dt.date(2026, 11, 25)
DAYS = [dt.date(1900, 1, 1), dt.date(2004, 7, 1), TODAY, dt.date(2100, 1, 1), dt.date.max]
LOOKED_UP = ("BUDAPEST", "UNCAC", "UNTOC")

SMALL = """\
title: A small table
consolidated_at: 2026-01-01
instruments:
  OLD:
    title: A convention
    article: art. 26
    condition_model: PRE_ACCEPT
    in_force: 2004-07-01
    source: K
    verified: false
    scope: {offence.codes: ILLEGAL_ACCESS}
    authorities: {from: [POLICE], to: [POLICE, COURT]}
    parties: {CH: 2012-01-01, GB: {from: 2011-09-01, to: 2020-12-31}, US: 2003-01-01}
  NEW:
    title: One that is not in force
    article: art. 40
    condition_model: ATTACHED_BINDING
    in_force: null
    source: K
    verified: false
    scope: {}
    authorities: {from: [POLICE], to: [POLICE]}
    parties: {CH: 2005-01-01, FR: 2005-01-01, US: 2005-01-01}
memberships:
  EU:
    source: K
    verified: false
    members: {FR: 1958-01-01}
  SCHENGEN:
    source: K
    verified: false
    note: nothing
    members: {CH: 2008-12-12}
"""


def parse_small_table() -> TreatyTable:
    return parse_treaties(SMALL, "small.yaml")


def parse_broken_table(old: str, new: str) -> PackError:
    """Return the error of the small table with one change."""
    assert SMALL.count(old) >= 1
    with pytest.raises(PackError) as caught:
        parse_treaties(SMALL.replace(old, new, 1), "small.yaml")
    return caught.value
