"""Asks an image registry for the digests of the images that the trial and the image use, and writes them to a file.

    python deploy/digests.py deploy/compose/.env

Compose reads the file by itself, and starts nothing without it. Keep the file: with it, the same images are used from
then on, whatever their tags come to point to. It needs `docker buildx` and access to the registry. A digest proves that
an image is the one that the registry served when you asked, not who built it: compare it with what the publisher of the
image announces.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from sharing.errors import InfrastructureError, InputError
from sharing.tools.manifests.common import IMAGES
from sharing.tools.script import run_script

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TIMEOUT_S = 120


def query_digest(image: str) -> str:
    """Return the digest of an image, for all platforms.

    Raises:
        InfrastructureError: `docker` is missing, or the registry does not answer with a digest.
    """
    command = ["docker", "buildx", "imagetools", "inspect", image, "--format", "{{.Manifest.Digest}}"]
    try:
        completed = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_TIMEOUT_S)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InfrastructureError(f"docker cannot be asked for the digest of {image}: {type(error).__name__}") from None
    digest = completed.stdout.strip()
    if completed.returncode or not _DIGEST.fullmatch(digest):
        reason = completed.stderr.strip().splitlines()[-1:] or ["the answer is not a digest"]
        raise InfrastructureError(f"the digest of {image} is unknown: {reason[0]}")
    return digest


def main(arguments: list[str]) -> int:
    """Write the digests, and return the exit code. An existing file is not replaced: delete it to ask again."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python deploy/digests.py FILE\n")
        return 2
    path = Path(arguments[0])

    def write_digests() -> None:
        if path.exists():
            raise InputError(f"{path} exists: the images are pinned; remove it to pin others")
        lines = [f"{variable}={query_digest(image)}\n" for variable, image in IMAGES.items()]
        path.write_text("".join(lines), encoding="utf-8")
        sys.stdout.write(f"{len(lines)} digests in {path}\n")

    return run_script(write_digests)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
