"""Names at the edge: one of a closed list becomes its enum member, or an error that suggests the nearest one."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

from pydantic import AfterValidator, BeforeValidator

from sharing.model.validation import nearest


def one_of(kind: type[StrEnum], absent: StrEnum | None = None) -> BeforeValidator:
    """Return a validator that takes a name of a closed list; null is `absent` where that is given."""
    names = {str(member): member for member in kind}

    def convert(value: Any) -> Any:
        if value is None and absent is not None:
            return absent
        if isinstance(value, str) and value in names:
            return names[value]
        hint = nearest(value.upper(), names) if isinstance(value, str) else ""
        raise ValueError(f"must be one of {', '.join(names)}{hint}")

    return BeforeValidator(convert)


def matching(pattern: str, sentence: str) -> AfterValidator:
    """Return a validator of text that says in words what a pattern of ASCII characters wants."""
    compiled = re.compile(pattern, re.ASCII)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(sentence)
        return value

    return AfterValidator(check)
