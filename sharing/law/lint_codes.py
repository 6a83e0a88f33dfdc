"""The kinds of findings of lint, which a pack names when it accepts a finding."""

from __future__ import annotations

from enum import StrEnum


class LintCode(StrEnum):
    """The kind of a finding. `docs/law.md` explains each."""

    UNREACHABLE = "unreachable"
    UNREACHABLE_ALTERNATIVE = "unreachable-alternative"
    REDUNDANT_ALTERNATIVE = "redundant-alternative"
    ONLY_UNDECIDED = "only-undecided"
    NEVER_KNOWN = "never-known"
    NEVER_OCCURS = "never-occurs"
    PREFERRED_TREATY = "preferred-treaty"
    INVERTED_TEST = "inverted-test"
    ONLY_RECORDED = "only-recorded"
    WORDS_FORBID = "words-forbid"
    REDUNDANT = "redundant"
    IDLE = "idle"
    UNFULFILLABLE = "unfulfillable"
    DUTY_FORBIDDEN = "duty-forbidden"
    TWO_APPROVERS = "two-approvers"
    APPROVALS_UNUSED = "approvals-unused"
    CONDITIONS_CLASH = "conditions-clash"
    UNCITED = "uncited"
    UNSOURCED = "unsourced"
    UNVERIFIED = "unverified"
    EXPIRED = "expired"
    GAP = "gap"
    LATER_THAN_PACK = "later-than-pack"
    NO_CASES = "no-cases"
    CASES_MISSING = "cases-missing"
    STALE_ACCEPTANCE = "stale-acceptance"


ACCEPTED_TOGETHER = frozenset({LintCode.UNVERIFIED, LintCode.TWO_APPROVERS})
"""Findings that many rules share for one reason: a pack may accept them for all rules whose ids share a prefix."""
