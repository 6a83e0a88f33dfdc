"""Generates `docs/api.md`, the reference of the public interface of `sharing`, from its docstrings.

`python -m sharing.tools.api_reference docs/api.md`. Griffe reads the sources and parses the docstrings; it is a
development dependency.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import griffe

from sharing.tools.script import parse_paths, run_script

if TYPE_CHECKING:
    from collections.abc import Iterator

INTRODUCTION = """\
# API reference

The public interface of the Python package `sharing`: everything that an agency's or a partner State's own program
imports. All other modules are internal and may change in any release.

```python
from sharing import Publisher, Subscriber
```

This page is generated from the docstrings by `make api`. Edit the docstrings, not this page.
"""

_GROUPS = {
    "Clients": ("Publisher", "Subscriber", "InboxReader", "PublisherMetrics", "SubscriberMetrics"),
    "Data": (
        "Indicator", "Notice", "Offer", "UnreadableNotice", "Condition", "RuleReference", "PackReference", "Framing",
    ),
    "Functions": ("new_id", "decode_record", "registry_framing"),
    "Errors": (
        "SharingError", "InputError", "DecodeError", "PackError", "SettingsError", "InfrastructureError",
        "NotDeliveredError",
    ),
}  # fmt: skip

_WIDTH = 100

_TITLES = {"parameters": "Arguments", "attributes": "Attributes", "returns": "Returns", "raises": "Raises"}


def render_reference() -> str:
    """Return the reference as Markdown.

    Raises:
        ValueError: A public name is in no section of the page, or a section contains a name that is not public.
    """
    package = cast("griffe.Module", griffe.load("sharing", resolve_aliases=True, docstring_parser="google"))
    grouped = {name for names in _GROUPS.values() for name in names}
    exported = set(map(str, package.exports or ()))
    if grouped != exported:
        raise ValueError(f"sections and `sharing.__all__` differ: {sorted(grouped ^ exported)}")
    parts = [INTRODUCTION]
    for title, names in _GROUPS.items():
        parts.append(f"## {title}\n")
        parts += [_render_object(name, _resolve_alias(package[name])) for name in names]
    return "\n".join(parts).rstrip() + "\n"


def _resolve_alias(member: Any) -> Any:
    return member.final_target if member.is_alias else member


def _render_object(name: str, target: Any, level: int = 3) -> str:
    lines = [f"{'#' * level} `{name}`\n"]
    if not target.is_attribute:
        lines.append(f"```\n{_render_signature(name, target)}\n```\n")
    lines += _render_docstring(target)
    if target.is_class:
        members = [_resolve_alias(member) for member in target.all_members.values()]
        public = [member for member in members if member.is_function and _is_documented_member(member)]
        lines += [_render_object(f"{name}.{member.name}", member, level + 1) for member in public]
    return "\n".join(lines)


def _is_documented_member(member: Any) -> bool:
    is_own = member.path.startswith("sharing.")
    return is_own and not member.name.startswith("_") and member.has_docstring and "property" not in member.labels


def _render_signature(name: str, target: Any) -> str:
    if target.is_class:
        bases = ", ".join(str(base) for base in target.bases)
        if "__init__" not in target.members:
            return f"class {name}({bases})" if bases else f"class {name}"
        function = target.members["__init__"]
    else:
        function = target
    parameters = [parameter for parameter in function.parameters if parameter.name not in {"self", "cls"}]
    one_line = ", ".join(_format_parameters(parameters))
    returned = f" -> {function.returns}" if function.returns and not target.is_class else ""
    prefix = "class " if target.is_class else ""
    if len(prefix + name + one_line + returned) <= _WIDTH:
        return f"{prefix}{name}({one_line}){returned}"
    inner = "".join(f"    {parameter},\n" for parameter in _format_parameters(parameters))
    return f"{prefix}{name}(\n{inner}){returned}"


def _format_parameters(parameters: list[Any]) -> Iterator[str]:
    is_keyword_only = False
    for parameter in parameters:
        if parameter.kind is griffe.ParameterKind.keyword_only and not is_keyword_only:
            is_keyword_only = True
            yield "*"
        annotation = f": {parameter.annotation}" if parameter.annotation else ""
        default = f" = {parameter.default}" if parameter.default is not None else ""
        yield f"{parameter.name}{annotation}{default}"


def _render_docstring(target: Any) -> Iterator[str]:
    if target.docstring is None:
        return
    for section in target.docstring.parse("google", warnings=False):
        if section.kind is griffe.DocstringSectionKind.text:
            yield section.value + "\n"
            continue
        title = _TITLES.get(section.kind.value)
        if title is None:
            raise ValueError(f"{target.path}: the page cannot render a docstring section {section.kind.value!r}")
        yield f"{title}:\n"
        for entry in section.value:
            label = getattr(entry, "name", "") or str(entry.annotation or "")
            text = " ".join(entry.description.split())
            yield f"- `{label}`: {text}" if label else f"- {text}"
        yield ""


def main(arguments: list[str]) -> int:
    """Write the page to the path given as the only argument. Return the exit code."""
    (page,) = parse_paths("sharing.tools.api_reference", arguments, "PAGE.md")
    return run_script(lambda: _write_page(page))


def _write_page(path: Path) -> None:
    path.write_text(render_reference(), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
