"""YAML documents that know their lines: packs, cases, the treaty table, profiles.

PyYAML composes the tree; here it becomes plain data, with the line of each key beside it, and a key that stands
twice is refused. Scalars follow YAML's core types; dates become `datetime.date`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from sharing.errors import PackError
from sharing.model.validation import describe, first_finding

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_DEPTH = 32
_MAX_CHARACTERS = 2_000_000

KeyPath = tuple[int | str, ...]
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """Plain data and where each part of it stands.

    Attributes:
        source: Name of the file.
        data: Mappings, lists and scalars.
        lines: Line (from 1) of each key and list item, by its path.
    """

    source: str
    data: Any
    lines: Mapping[KeyPath, int]

    def line(self, path: KeyPath) -> int:
        """Return the line of a path, or of the nearest one above it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def error(self, message: str, path: KeyPath = ()) -> PackError:
        """Return an error that names file, line and key."""
        key = ".".join(str(part) for part in path)
        return PackError(message, source=self.source, line=self.line(path), key=key)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # chosen at run time
    """YAML 1.1 without its traps: only true and false are booleans (NO is Norway), no sexagesimals, no merges."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"^(?:true|false)$", "tf"),
    ("null", r"^(?:null|~|)$", ["n", "~", ""]),
    # A longer figure is a number of something else, such as a telephone: text.
    ("int", r"^[-+]?(?:0|[1-9][0-9]{0,17})$", "-+0123456789"),
    ("float", r"^[-+]?(?:0|[1-9][0-9]*)\.[0-9]+$", "-+0123456789"),
    ("timestamp", r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


def read_yaml(text: str, source: str) -> YamlDocument:
    """Read one YAML document.

    Args:
        text: The document.
        source: Its name, for errors.

    Raises:
        PackError: It is not YAML, holds a key twice or an alias, or nests too deep.
    """
    if len(text) > _MAX_CHARACTERS:
        raise PackError(f"is longer than {_MAX_CHARACTERS} characters", source=source)
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            raise PackError("is empty", source=source)
        builder = _Builder(loader, source)
        return YamlDocument(source, builder.build(node, ()), builder.lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        problem = " ".join(part for part in (error.context, error.problem) if part) or "cannot be read"
        raise PackError(f"is not YAML: {problem}", source=source, line=mark.line + 1 if mark else 0) from None
    except yaml.reader.ReaderError as error:
        line = text.encode(errors="replace").count(b"\n", 0, error.position) + 1
        reason = f"a character that it does not allow, U+{error.character:04X}"
        raise PackError(f"is not YAML: {reason}", source=source, line=line) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise PackError(f"is not YAML: {error}", source=source) from None


class _Builder:
    """Turns composed nodes into plain data, noting the lines."""

    def __init__(self, loader: Any, source: str) -> None:
        self._loader = loader
        self._source = source
        self._seen: set[int] = set()
        self.lines: dict[KeyPath, int] = {}

    def build(self, node: yaml.Node, path: KeyPath) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if len(path) > _MAX_DEPTH:
            raise self._error("nests too deep", node)  # the path would be as deep
        if id(node) in self._seen:
            raise self._error("an alias (*name) is not allowed; write the value out", node, path)
        self._seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            # A version is text even where it looks like a number: 2026.10 is not 2026.1.
            if path == ("version",):
                return node.value
            try:
                return self._loader.construct_object(node)
            except ValueError as error:
                raise self._error(str(error), node, path) from None
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path)
            if key in data:
                raise self._error("stands twice; keep one", key_node, (*path, key))
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            data[key] = self.build(value_node, (*path, key))
        return data

    def _key(self, node: yaml.Node, path: KeyPath) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self._error("a key must be plain text", node, path)
        return str(node.value)

    def _error(self, message: str, node: yaml.Node, path: KeyPath = ()) -> PackError:
        key = ".".join(map(str, path))
        return PackError(message, source=self._source, line=node.start_mark.line + 1, key=key)


def validate(document: YamlDocument, model: type[Model]) -> Model:
    """Return the document as a model.

    Raises:
        PackError: The first thing that is wrong, with file, line, key and the nearest known name.
    """
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        finding = first_finding(error)
        _, sentence = describe(finding, model)
        raise document.error(sentence, tuple(finding["loc"])) from None
