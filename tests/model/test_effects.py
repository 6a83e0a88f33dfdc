"""The properties of effects, and that an effect without them is an error."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import cast

import pytest

from sharing.model.effects import (
    APPROVAL_EFFECTS,
    EFFECTS_NAMED_IN_REFUSAL,
    EXPLAINING_EFFECTS,
    FORBIDDING_EFFECTS,
    OBLIGING_EFFECTS,
    PERMITTING_EFFECTS,
    RESTRICTING_EFFECTS,
    explains_outcome,
    forbids,
    is_named_in_refusal,
    obliges,
    permits,
    requires_approval,
    restricts,
)
from sharing.model.vocabulary import Effect


class Unknown(StrEnum):
    """An effect that was added to the vocabulary, but to none of the functions."""

    DELAY = "DELAY"


@pytest.mark.parametrize(
    ("has_property", "effects", "names"),
    [
        (forbids, FORBIDDING_EFFECTS, "DENY"),
        (requires_approval, APPROVAL_EFFECTS, "APPROVAL"),
        (restricts, RESTRICTING_EFFECTS, "DENY APPROVAL REDACT CONDITION"),
        (permits, PERMITTING_EFFECTS, "PERMIT"),
        (obliges, OBLIGING_EFFECTS, "OBLIGE"),
        (is_named_in_refusal, EFFECTS_NAMED_IN_REFUSAL, "DENY OBLIGE RECORD"),
        (explains_outcome, EXPLAINING_EFFECTS, "DENY APPROVAL REDACT CONDITION PERMIT OBLIGE"),
    ],
)
def test_each_property_belongs_to_exactly_these_effects(
    has_property: Callable[[Effect], bool], effects: frozenset[Effect], names: str
) -> None:
    assert effects == {effect for effect in Effect if has_property(effect)} == set(map(Effect, names.split()))
    with pytest.raises(AssertionError, match="DELAY"):
        has_property(cast("Effect", Unknown.DELAY))
