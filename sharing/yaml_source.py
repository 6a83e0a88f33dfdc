"""Reads YAML files and keeps the line of each key, so that an error can name file, line and key.

PyYAML composes the tree. This module turns the tree into plain data with the line of each key, and refuses duplicate
keys. Scalars follow YAML's core types; dates become `datetime.date`. Callers choose the class of the errors.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from sharing.errors import FileErrorFactory, SharingError, input_file_error
from sharing.model.validation_errors import describe_error, select_first_error

_MAX_DEPTH = 32
_MAX_CHARACTERS = 2_000_000

KeyPath = tuple[int | str, ...]
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """Plain data with the position of each part.

    Attributes:
        source: Name of the file.
        data: Mappings, lists and scalars.
        lines: Line (from 1) of each key and list item, by its path.
        make_error: Makes the errors about this document.
    """

    source: str
    data: Any
    lines: Mapping[KeyPath, int]
    make_error: FileErrorFactory = input_file_error

    def line_of(self, path: KeyPath) -> int:
        """Return the line of a path, or of its nearest ancestor that has one."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def error(self, message: str, path: KeyPath = ()) -> SharingError:
        """Return an error that names file, line and key."""
        key = ".".join(str(part) for part in path)
        return self.make_error(message, source=self.source, line=self.line_of(path), key=key)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # chosen at run time
    """YAML 1.1 without its traps: only true and false are booleans (NO is Norway), no sexagesimals, no merges."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"^(?:true|false)$", "tf"),
    ("null", r"^(?:null|~|)$", ["n", "~", ""]),
    # A longer run of digits is an identifier, such as a telephone number: text.
    ("int", r"^[-+]?(?:0|[1-9][0-9]{0,17})$", "-+0123456789"),
    ("float", r"^[-+]?(?:0|[1-9][0-9]*)\.[0-9]+$", "-+0123456789"),
    ("timestamp", r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


def read_yaml(
    text: str,
    source: str,
    *,
    make_error: FileErrorFactory = input_file_error,
    text_paths: Collection[KeyPath] = (),
) -> YamlDocument:
    """Read one YAML document.

    Args:
        text: The document.
        source: Its name, for errors.
        make_error: Makes the error to raise, here and for later errors in the document.
        text_paths: Paths of scalars that are text even if they look like a number or a date.

    Raises:
        SharingError: As `make_error` makes it: the text is not YAML, has a duplicate key or an alias, or nests too
            deep.
    """
    if len(text) > _MAX_CHARACTERS:
        raise make_error(f"is longer than {_MAX_CHARACTERS} characters", source=source)
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            raise make_error("is empty", source=source)
        builder = _TreeBuilder(loader, source, make_error, text_paths)
        return YamlDocument(source, builder.build_value(node, ()), builder.lines, make_error)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        problem = " ".join(part for part in (error.context, error.problem) if part) or "cannot be read"
        raise make_error(f"is not YAML: {problem}", source=source, line=mark.line + 1 if mark else 0) from None
    except yaml.reader.ReaderError as error:
        line = text.encode(errors="replace").count(b"\n", 0, error.position) + 1
        reason = f"a character that it does not allow, U+{error.character:04X}"
        raise make_error(f"is not YAML: {reason}", source=source, line=line) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise make_error(f"is not YAML: {error}", source=source) from None


class _TreeBuilder:
    """Turns composed nodes into plain data, and records the line of each."""

    def __init__(self, loader: Any, source: str, make_error: FileErrorFactory, text_paths: Collection[KeyPath]) -> None:
        self._loader = loader
        self._source = source
        self._make_error = make_error
        self._text_paths = frozenset(text_paths)
        self._seen: set[int] = set()
        self.lines: dict[KeyPath, int] = {}

    def build_value(self, node: yaml.Node, path: KeyPath) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if len(path) > _MAX_DEPTH:
            raise self._error("nests too deep", node)  # without the path, which is just as deep
        if id(node) in self._seen:
            raise self._error("an alias (*name) is not allowed; write the value out", node, path)
        self._seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            if path in self._text_paths:
                return node.value
            try:
                return self._loader.construct_object(node)
            except ValueError as error:
                raise self._error(str(error), node, path) from None
        if isinstance(node, yaml.SequenceNode):
            return [self.build_value(item, (*path, index)) for index, item in enumerate(node.value)]
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._read_key(key_node, path)
            if key in data:
                raise self._error("is a duplicate key; keep one", key_node, (*path, key))
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            data[key] = self.build_value(value_node, (*path, key))
        return data

    def _read_key(self, node: yaml.Node, path: KeyPath) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self._error("a key must be plain text", node, path)
        return str(node.value)

    def _error(self, message: str, node: yaml.Node, path: KeyPath = ()) -> SharingError:
        key = ".".join(map(str, path))
        return self._make_error(message, source=self._source, line=node.start_mark.line + 1, key=key)


def validate_document(document: YamlDocument, model: type[Model]) -> Model:
    """Return the document as a model.

    Raises:
        SharingError: As the document makes it: the first thing that is wrong, with file, line, key and the nearest
            known name.
    """
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        first_error = select_first_error(error)
        _, sentence = describe_error(first_error, model)
        raise document.error(sentence, tuple(first_error["loc"])) from None
