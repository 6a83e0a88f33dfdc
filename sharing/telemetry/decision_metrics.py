"""Metrics of what the gate reads and decides. All are counted when the transaction is committed.

No label names the recipient of a decision, so that metrics do not show which State informs which.
"""

from __future__ import annotations

from prometheus_client import Counter

from sharing.model.vocabulary import Effect, Outcome
from sharing.telemetry.registry import REGISTRY

EFFECTS = (*Effect, "UNDECIDED", "NONE")

AGENCIES_MAX = 200
"""Maximum number of agencies with series of their own: an agency's name is free text, and each name is a series."""

OTHER_AGENCIES = "(other agencies)"

INDICATORS_READ = Counter(
    "sharing_indicators_read",
    "Records read from indicator topics, in committed transactions.",
    registry=REGISTRY,
)
INDICATORS_ACCOUNTED = Counter(
    "sharing_indicators_accounted",
    "Records decided or quarantined, in committed transactions; equals the number of records read.",
    registry=REGISTRY,
)
INDICATORS_BY_OUTCOME = Counter(
    "sharing_indicators",
    "Indicators by their outcome, in committed transactions.",
    ["outcome"],
    registry=REGISTRY,
)
RECIPIENT_DECISIONS = Counter(
    "sharing_recipient_decisions",
    "Decisions by outcome; one per indicator and State considered.",
    ["outcome"],
    registry=REGISTRY,
)
RECIPIENT_EFFECTS = Counter(
    "sharing_recipient_effects",
    "Decisions, one per indicator and State considered, by effect of the rules applied; a decision counts once under "
    "each of its effects. UNDECIDED: a rule lacked a fact. NONE: no rule applied.",
    ["effect"],
    registry=REGISTRY,
)
DRAFTS = Counter(
    "sharing_drafts",
    "Drafts written, by the outcome of their indicator. HOLD drafts wait for an approver, OFFER drafts for a State's "
    "acceptance.",
    ["outcome"],
    registry=REGISTRY,
)
INDICATORS_QUARANTINED = Counter(
    "sharing_indicators_quarantined",
    "Records that could not be processed, in committed transactions.",
    registry=REGISTRY,
)
QUARANTINED_BY_CAUSE = Counter(
    "sharing_quarantined",
    "Records that could not be processed, by cause.",
    ["cause"],
    registry=REGISTRY,
)
EMERGENCIES_STATED = Counter(
    "sharing_emergencies_stated",
    "Indicators that their agency states to be an emergency, by agency, in committed transactions.",
    ["agency"],
    registry=REGISTRY,
)
EMERGENCIES_AS_ORDINARY = Counter(
    "sharing_emergencies_as_ordinary",
    "Of these, indicators that were decided as ordinary, because no officer is named or no reason is stated.",
    ["agency"],
    registry=REGISTRY,
)

_labelled_agencies: set[str] = set()


def label_agency(agency: str) -> str:
    """Return the label of an agency: its name, but one label for all agencies after the first `AGENCIES_MAX`."""
    if agency not in _labelled_agencies:
        if len(_labelled_agencies) >= AGENCIES_MAX:
            return OTHER_AGENCIES
        _labelled_agencies.add(agency)
    return agency


# Prometheus sees the first increase of a series only if the series existed before, at 0.
for _outcome in Outcome:
    INDICATORS_BY_OUTCOME.labels(_outcome)
    RECIPIENT_DECISIONS.labels(_outcome)
    DRAFTS.labels(_outcome)
for _effect in EFFECTS:
    RECIPIENT_EFFECTS.labels(_effect)
