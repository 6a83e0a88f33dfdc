"""How many officers approve, as written in a pack and its cases."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator

from sharing.model.recipient_terms import APPROVALS_MAX


def _refuse_other_numbers(approvals: Any) -> int:
    if type(approvals) is not int or not 1 <= approvals <= APPROVALS_MAX:  # not `true`, which equals 1
        raise ValueError("must be 1 or 2: how many officers with this role must approve")
    return approvals


Approvals = Annotated[int, BeforeValidator(_refuse_other_numbers)]
"""How many officers with the role of the approver must approve: 1 or 2."""
