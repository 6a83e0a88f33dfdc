"""`python -m sharing.tools.manifests PARTNERS FOLDER`: write the deployment files of a partners file."""

from __future__ import annotations

import sys
from pathlib import Path

from sharing.tools.manifests import render
from sharing.tools.script import run_program
from sharing.topology.partners import parse_partners

USAGE = "usage: python -m sharing.tools.manifests PARTNERS.yaml FOLDER\n"


def main(arguments: list[str]) -> int:
    """Write the files, say how many changed, and return the exit code.

    A file of a State that has left the partners file stays, and is named: what runs from it must be ended first.
    """
    if len(arguments) != 2:  # noqa: PLR2004 the two that the usage names
        sys.stderr.write(USAGE)
        return 2
    source, folder = Path(arguments[0]), Path(arguments[1])

    def work() -> None:
        files = render(parse_partners(source.read_text(encoding="utf-8"), source.name))
        changed = [path for path, text in files.items() if _write(folder / path, text)]
        sys.stdout.write(f"{len(changed)} of {len(files)} files changed in {folder}\n")
        for path in sorted(set(_made(folder)) - set(files)):
            sys.stdout.write(f"no longer made from {source}: {folder / path}\n")

    return run_program(work)


def _write(path: Path, text: str) -> bool:
    data = text.encode()
    if path.is_file() and path.read_bytes() == data:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return True


def _made(folder: Path) -> list[str]:
    """Return the paths of the files that an earlier run made: those of one State or one cluster."""
    below = (*folder.glob("kubernetes/**/*.yaml"), *folder.glob("systemd/*.env"))
    return [path.relative_to(folder).as_posix() for path in below]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
