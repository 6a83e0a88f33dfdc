"""YAML as the files are written that this project makes: in the order of the keys, for people who read and compare."""

from __future__ import annotations

from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Write what is equal twice, not once with a reference to it."""
        del data
        return True


def _write_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    """Write a text of several lines as it is; a member of a `StrEnum` is a text, too."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|" if "\n" in text else None)


_Dumper.add_representer(str, _write_text)
_Dumper.add_multi_representer(str, _write_text)


def to_yaml(*documents: Any, width: int) -> str:
    """Return documents as one YAML text, with lines of about so many characters."""
    return str(yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=width))
