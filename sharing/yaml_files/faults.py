"""Collects everything that is wrong with a YAML document, so that its author corrects it in one go.

The first line of the error is about one fault, whose line and key the error has as attributes; each further line is
about another one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from sharing.errors import SharingError, format_position
from sharing.model.validation_errors import describe_error
from sharing.yaml_files.source import KeyPath, Model, YamlDocument

FAULTS_MAX = 50
"""An error names at most this many faults: more are rarely read, and a file may be the wrong one altogether."""


class Fault(NamedTuple):
    """One thing that is wrong.

    Attributes:
        path: The key or list item.
        message: What is wrong with it, and the nearest known word.
        is_misspelt: Whether it is an unknown key. Such a fault comes first, because it may explain a missing key.
    """

    path: KeyPath
    message: str
    is_misspelt: bool = False


class DocumentFaults:
    """The faults of one document.

    Args:
        document: The document.
    """

    def __init__(self, document: YamlDocument) -> None:
        self._document = document
        self._faults: dict[tuple[KeyPath, str], Fault] = {}

    def add(self, message: str, path: KeyPath = ()) -> None:
        """Add a fault."""
        self._faults.setdefault((path, message), Fault(path, message))

    def validate(self, model: type[Model]) -> Model | None:
        """Return the document as a model; None if it has faults, which are added."""
        try:
            return model.model_validate(self._document.data)
        except ValidationError as error:
            for details in error.errors(include_url=False):
                path, (_, message) = tuple(details["loc"]), describe_error(details, model)
                is_misspelt = details["type"] == "extra_forbidden"
                self._faults.setdefault((path, message), Fault(path, message, is_misspelt))
            return None

    def iter_valid_entries(self, key: str, model: type[Model]) -> Iterator[tuple[KeyPath, Model]]:
        """Yield the entries of a list or mapping that are valid by themselves, each with its path.

        So they can be checked further although something else is wrong. `validate` reports the other entries.
        """
        data = self._document.data
        entries = data.get(key) if isinstance(data, dict) else None
        if not isinstance(entries, list | dict):
            return
        adapter = TypeAdapter(model)
        for part, entry in enumerate(entries) if isinstance(entries, list) else entries.items():
            try:
                yield (key, part), adapter.validate_python(entry)
            except ValidationError:
                continue

    def settle(self, model: Model | None) -> Model:
        """Return the valid model.

        Raises:
            SharingError: As the document makes it: the document has faults.
        """
        if model is None or self._faults:
            raise self._make_error()
        return model

    def _make_error(self) -> SharingError:
        document = self._document
        lines = {fault: document.line_of(fault.path) for fault in self._faults.values()}
        first, *others = sorted(lines, key=lambda fault: (not fault.is_misspelt, lines[fault]))
        others.sort(key=lambda fault: lines[fault])
        shown = [format_position(fault.message, document.source, lines[fault], _format(fault)) for fault in others]
        omitted = len(shown) - (FAULTS_MAX - 1)
        if omitted > 0:
            shown[FAULTS_MAX - 1 :] = [format_position(f"and {omitted} more", document.source, 0, "")]
        return document.error("\n".join((first.message, *shown)), first.path)


def _format(fault: Fault) -> str:
    return ".".join(map(str, fault.path))
