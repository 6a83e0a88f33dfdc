"""Style, scripts and other files that are the same for everybody: read once, and named by their digest."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

PATH: Final = "/static"
_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "txt": "text/plain; charset=utf-8",
}
_DIGEST_DIGITS: Final = 16
_YEAR_SECONDS: Final = 31_536_000


class _File(NamedTuple):
    content: bytes
    kind: str
    digest: str


class StaticFiles:
    """The files of the folder `static`, and of its folders."""

    def __init__(self) -> None:
        self._files = dict(_read_files(files("sharing.desk") / "static", ""))

    def make_url(self, name: str) -> str:
        """Return the address of a file, which changes with its content.

        Args:
            name: Its path in the folder, such as `vendor/htmx.min.js`.
        """
        return f"{PATH}/{name}?v={self._files[name].digest}"

    async def serve(self, request: Request) -> Response:
        """Answer a request for a file. It needs no thread: all of them may wait for the broker."""
        found = self._files.get(request.path_params["name"])
        if found is None:
            raise HTTPException(404)
        is_exact = request.query_params.get("v") == found.digest
        caching = f"public, max-age={_YEAR_SECONDS}, immutable" if is_exact else "no-cache"
        headers = {"Cache-Control": caching, "ETag": f'"{found.digest}"'}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(found.content, headers=headers, media_type=found.kind)


def _read_files(folder: Traversable, prefix: str) -> list[tuple[str, _File]]:
    found = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _read_files(entry, f"{prefix}{entry.name}/")
            continue
        kind = _TYPES.get(entry.name.rpartition(".")[2])
        if kind is not None:
            content = entry.read_bytes()
            found.append(
                (f"{prefix}{entry.name}", _File(content, kind, hashlib.sha256(content).hexdigest()[:_DIGEST_DIGITS]))
            )
    return found
