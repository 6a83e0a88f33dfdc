"""Entry point of `python -m sharing` and of the program `sharing`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line, or print which package to install for it."""
    try:
        from sharing.cli import main as run_command_line  # noqa: PLC0415 the extra `cli` may be missing
    except ModuleNotFoundError as error:
        sys.stderr.write(
            f"error: the command line needs the package {error.name}, which is not installed: "
            "run pip install 'sharing-bus[cli]'\n"
        )
        sys.exit(2)
    except KeyboardInterrupt:  # nothing handles signals yet
        sys.stderr.write("interrupted before the command started: nothing was done\n")
        sys.exit(130)
    run_command_line()


if __name__ == "__main__":
    main()
