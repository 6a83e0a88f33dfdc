"""Every error of the project, by who must act on it.

A message says what is wrong, where (file, line, field, topic, offset), and what to do. It may carry ids,
names of fields and rules; it never carries a value, a name or a case reference of an indicator, because
messages end up in logs, metrics and quarantine headers.
"""

from __future__ import annotations


class SharingError(Exception):
    """Base of all errors that the project raises on purpose. The command line exits with `exit_code`."""

    exit_code = 2


class InputError(SharingError):
    """The publisher or user must act: an indicator, a file or an argument is not acceptable.

    Attributes:
        field: Dotted name of the offending field as in the JSON form, or "" when it concerns the whole.
        place: Where in the input: a line number or a JSON pointer, or "" when unknown.
    """

    def __init__(self, message: str, *, field: str = "", place: str = "") -> None:
        super().__init__(message)
        self.field = field
        self.place = place


class DecodeError(InputError):
    """A record on a topic is not what its schema says, or names a schema that this reader does not know.

    Attributes:
        cause: Short code for metrics and the quarantine, such as UNKNOWN_SCHEMA.
    """

    def __init__(self, message: str, *, cause: str) -> None:
        super().__init__(message)
        self.cause = cause


class PackError(SharingError):
    """The pack's author must act: a law pack, its cases or the treaty table is unsound. A gate refuses to start.

    Attributes:
        source: Name of the file.
        line: 1-based line number, or 0 when unknown.
        key: Dotted path of the offending key, or "".
    """

    def __init__(self, message: str, *, source: str = "", line: int = 0, key: str = "") -> None:
        where = source + (f":{line}" if line else "")
        super().__init__(": ".join(part for part in (where, key, message) if part))
        self.source = source
        self.line = line
        self.key = key


class SettingsError(SharingError):
    """The operator must act: a setting is missing or wrong."""


class InfrastructureError(SharingError):
    """The operator must act: no broker, no permission, no disk. Nothing was lost; retry when it is mended."""

    exit_code = 3


class NotDeliveredError(InfrastructureError):
    """The broker did not confirm some records.

    Attributes:
        ids: Ids of the indicators that are not confirmed. Publishing them again with the same ids is safe.
    """

    def __init__(self, message: str, ids: tuple[str, ...]) -> None:
        super().__init__(message)
        self.ids = ids
