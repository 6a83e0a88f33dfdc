"""Writes YAML for generated files: keys keep their order, so that people can read and compare the files."""

from __future__ import annotations

from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Write equal objects in full each time, without anchors and aliases."""
        del data
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    """Write a multi-line text as a literal block. A member of a `StrEnum` is written as a plain text."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_multi_representer(str, _represent_text)


def to_yaml(*documents: Any, width: int) -> str:
    """Return documents as one YAML text, with lines of about `width` characters."""
    return str(yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=width))
