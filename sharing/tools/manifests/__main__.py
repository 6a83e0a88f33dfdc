"""`python -m sharing.tools.manifests PARTNERS FOLDER`: writes the deployment files for a partners file."""

from __future__ import annotations

import sys
from pathlib import Path

from sharing.tools.manifests import render_deployment
from sharing.tools.script import parse_paths, run_script
from sharing.topology.partners import parse_partners


def main(arguments: list[str]) -> int:
    """Write the files, report how many changed, and return the exit code.

    A file of a State that is no longer in the partners file is not deleted, but reported: its workloads must be stopped
    first.
    """
    source, folder = parse_paths("sharing.tools.manifests", arguments, "PARTNERS.yaml", "FOLDER")

    def work() -> None:
        files = render_deployment(parse_partners(source.read_text(encoding="utf-8"), source.name))
        changed = [path for path, text in files.items() if _write_if_changed(folder / path, text)]
        sys.stdout.write(f"{len(changed)} of {len(files)} files changed in {folder}\n")
        for path in sorted(set(_list_generated(folder)) - set(files)):
            sys.stdout.write(f"no longer generated from {source}: {folder / path}\n")

    return run_script(work)


def _write_if_changed(path: Path, text: str) -> bool:
    data = text.encode()
    if path.is_file() and path.read_bytes() == data:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return True


def _list_generated(folder: Path) -> list[str]:
    """Return the relative paths of the files of clusters and States that an earlier run wrote."""
    paths = (*folder.glob("kubernetes/**/*.yaml"), *folder.glob("systemd/*.env"))
    return [path.relative_to(folder).as_posix() for path in paths]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
