"""Checks that every image of a deployment is named with its digest, which, unlike a tag, cannot come to mean another.

    kubectl kustomize deploy/kubernetes | python -m sharing.tools.image_digests
    docker compose -f deploy/compose/compose.yaml config | python -m sharing.tools.image_digests

A Compose service that is built from sources has no digest; instead, the base image of its build must have one.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

import yaml

_PINNED = re.compile(r"\S+@sha256:[0-9a-f]{64}")


def find_unpinned_images(documents: list[Any]) -> list[str]:
    """Return the images that are named without a digest, sorted, each once.

    Args:
        documents: Kubernetes resources, or a Compose project.
    """
    return sorted({image for document in documents for image in _list_images(document) if not _PINNED.fullmatch(image)})


def _list_images(part: Any) -> Iterator[str]:
    """Yield the images that any part of a document names."""
    if isinstance(part, list):
        for item in part:
            yield from _list_images(item)
    if not isinstance(part, dict):
        return
    if "build" in part:
        build = part["build"]
        arguments = build.get("args") if isinstance(build, dict) else None
        yield str((arguments or {}).get("BASE", "(build without the argument BASE)"))
    elif isinstance(part.get("image"), str):
        yield part["image"]
    for value in part.values():
        yield from _list_images(value)


def main() -> int:
    """Read documents from standard input, print the images without a digest, and return the exit code."""
    try:
        documents = [document for document in yaml.safe_load_all(sys.stdin) if document is not None]
    except yaml.YAMLError as error:
        sys.stderr.write(f"error: standard input is not YAML: {type(error).__name__}\n")
        return 2
    if not any(True for document in documents for _ in _list_images(document)):
        sys.stderr.write("error: standard input names no image\n")
        return 2
    unpinned = find_unpinned_images(documents)
    sys.stdout.writelines(f"no digest: {image}\n" for image in unpinned)
    return 1 if unpinned else 0


if __name__ == "__main__":
    sys.exit(main())
