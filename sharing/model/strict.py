"""The base of every model that is read from a file: unknown keys are errors, and nothing is converted silently."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """A frozen model that refuses unknown fields and values of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
