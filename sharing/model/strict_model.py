"""The base of models that are read from files: unknown keys are errors, and values are never converted silently."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """A frozen model that refuses unknown fields and values of the wrong type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
