"""Scripts take exactly the paths that they name, and an unknown option is no path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sharing.tools import api_reference, asyncapi, capacity, question_pages
from sharing.tools.manifests import __main__ as manifests

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCRIPTS = [module.main for module in (api_reference, asyncapi, capacity, manifests, question_pages)]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__module__)
@pytest.mark.parametrize(
    ("arguments", "code"), [([], 2), (["--help"], 0), (["--unknown"], 2), (["a", "b", "c", "d"], 2)]
)
def test_a_script_writes_nothing_for_arguments_that_it_does_not_know(
    script: Callable[[list[str]], int],
    arguments: list[str],
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        script(arguments)
    assert ended.value.code == code
    printed = capsys.readouterr()
    assert f"usage: python -m {script.__module__.removesuffix('.__main__')}" in printed.out + printed.err
    assert not list(tmp_path.iterdir())
