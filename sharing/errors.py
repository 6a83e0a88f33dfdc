"""All errors of the project, grouped by who must act on them.

A message says what is wrong, where (file, line, field, topic, offset), and what to do. It may contain ids and the names
of fields and rules. It never contains a value, a name or a case reference of an indicator, because messages end up in
logs, metrics and quarantine headers.
"""

from __future__ import annotations

from typing import Protocol


class SharingError(Exception):
    """Base of all errors that the project raises deliberately. The command line exits with `exit_code`."""

    exit_code = 2


class InputError(SharingError):
    """The publisher or user must act: an indicator, a file or an argument is invalid.

    Attributes:
        field: Dotted name of the offending field as in the JSON form, or "" when the error is not about one field.
        location: Location in the input: a line number or a JSON pointer, or "" when unknown.
    """

    def __init__(self, message: str, *, field: str = "", location: str = "") -> None:
        super().__init__(message)
        self.field = field
        self.location = location


class DecodeError(InputError):
    """A record on a topic does not match its schema, or names a schema that this reader does not know.

    Attributes:
        cause: Short code for metrics and the quarantine, such as UNKNOWN_SCHEMA.
    """

    def __init__(self, message: str, *, cause: str) -> None:
        super().__init__(message)
        self.cause = cause


def make_unknown_value_error(what: str, error: ValueError) -> DecodeError:
    """Return the error of a record with a code that this release does not know. It does not repeat the code.

    Args:
        what: What it is, such as `an act`.
        error: What a closed list of codes has raised.
    """
    return DecodeError(
        f"{what} says what this release does not know ({type(error).__name__}); update this program to the release of "
        "the worker",
        cause="UNKNOWN_VALUE",
    )


class PackError(SharingError):
    """The pack's author must act: a law pack, its cases or the treaty table is not valid. A gate refuses to start.

    Attributes:
        source: Name of the file.
        line: 1-based line number, or 0 when unknown.
        key: Dotted path of the offending key, or "".
    """

    def __init__(self, message: str, *, source: str = "", line: int = 0, key: str = "") -> None:
        super().__init__(format_position(message, source, line, key))
        self.source = source
        self.line = line
        self.key = key


class SettingsError(SharingError):
    """The operator must act: a setting is missing or wrong."""


class InfrastructureError(SharingError):
    """The operator must act: no broker, no permission, no disk space. Nothing was lost; fix the problem and retry."""

    exit_code = 3


class NotDeliveredError(InfrastructureError):
    """The broker did not confirm some records.

    Attributes:
        ids: Ids of the indicators that are not confirmed. Publishing them again with the same ids is safe.
    """

    def __init__(self, message: str, ids: tuple[str, ...]) -> None:
        super().__init__(message)
        self.ids = ids


class FileErrorFactory(Protocol):
    """Creates the error for a fault at a position in a file: `PackError` or `input_file_error`."""

    def __call__(self, message: str, *, source: str = "", line: int = 0, key: str = "") -> SharingError:
        """Return the error, with file, line and key in its message."""


def input_file_error(message: str, *, source: str = "", line: int = 0, key: str = "") -> InputError:
    """Return the error for a fault in a user's file, such as a partners file, a directory file or a profile.

    Args:
        message: What is wrong.
        source: Name of the file.
        line: 1-based line number, or 0 when unknown.
        key: Dotted path of the offending key, or "".
    """
    return InputError(format_position(message, source, line, key), field=key, location=str(line or ""))


def format_position(message: str, source: str, line: int, key: str) -> str:
    """Return the message after the position that it is about: file, line and key, as far as each is known."""
    position = source + (f":{line}" if line else "")
    return ": ".join(part for part in (position, key, message) if part)
