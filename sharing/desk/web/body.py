"""The body of a request, read within a limit and kept in memory: nothing that is sent is written to a disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.types import Receive

from sharing.desk.web.catalogue import _
from sharing.desk.web.errors import PageError
from sharing.desk.web.forms import Form, UploadedFile

FORM_BYTES_MAX: Final = 512 * 1024
UPLOAD_BYTES_MAX: Final = 16 * 1024 * 1024
"""How large a form with a file may be."""

ANONYMOUS_BYTES_MAX: Final = 64 * 1024
BODY_SECONDS: Final = 30.0
"""How long a body may take, and one second more for each 64 KiB that it may have."""

_BYTES_A_SECOND: Final = 64 * 1024
FIELDS_MAX: Final = 4_000
FILES_MAX: Final = 4
_LENGTH_DIGITS_MAX: Final = 12
_FORM_TYPE: Final = "application/x-www-form-urlencoded"
_UPLOAD_TYPE: Final = "multipart/form-data"


class _MemoryParser(MultiPartParser):
    spool_max_size = UPLOAD_BYTES_MAX + 1


def find_limit(headers: Headers, *, is_officer: bool) -> int:
    """Return how many bytes a request may have."""
    kind = _get_type(headers)
    if not is_officer:
        return FORM_BYTES_MAX if kind == _FORM_TYPE else ANONYMOUS_BYTES_MAX  # a form is shown again after sign-in
    return UPLOAD_BYTES_MAX if kind == _UPLOAD_TYPE else FORM_BYTES_MAX


async def read_body(receive: Receive, headers: Headers, limit: int) -> bytes:
    """Return the body of a request.

    Args:
        receive: Receives it.
        headers: The headers of the request.
        limit: How many bytes it may have.

    Raises:
        PageError: It has more, or does not come in time.
    """
    try:
        async with asyncio.timeout(BODY_SECONDS + limit / _BYTES_A_SECOND):
            return await _read_body(receive, headers, limit)
    except TimeoutError:
        raise PageError(
            408,
            _("What you sent did not arrive in time, so nothing was saved."),
            _("Send it again, over a faster connection or in a smaller file."),
        ) from None


async def _read_body(receive: Receive, headers: Headers, limit: int) -> bytes:
    stated = headers.get("content-length", "0")
    if not _is_number(stated) or int(stated) > limit:
        raise PageError(413 if _is_number(stated) else 400)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise PageError(400)
        body += message.get("body", b"")
        if len(body) > limit:
            raise PageError(413)
        if not message.get("more_body", False):
            return bytes(body)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _LENGTH_DIGITS_MAX


async def parse_form(headers: Headers, body: bytes) -> Form:
    """Return the form in a body; an empty one, if it is of another type.

    Raises:
        PageError: It cannot be read, or has too many fields.
    """
    kind = _get_type(headers)
    if kind not in {_FORM_TYPE, _UPLOAD_TYPE}:
        return Form()

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body
        yield b""

    try:
        if kind == _FORM_TYPE:
            if body.count(b"&") >= FIELDS_MAX:
                raise PageError(413)
            found = await FormParser(headers, stream()).parse()
        else:
            _require_end(headers, body)
            parser = _MemoryParser(
                headers,
                stream(),
                max_files=FILES_MAX,
                max_fields=FIELDS_MAX,
                max_part_size=FORM_BYTES_MAX,
            )
            found = await parser.parse()
    except (MultiPartException, UnicodeError, ValueError, KeyError):
        raise PageError(400) from None
    form = Form()
    for name, value in found.multi_items():
        if isinstance(value, UploadFile):
            form.files[name] = UploadedFile(value.filename or "", await value.read())
        else:
            form.values.setdefault(name, []).append(value)
    return form


def _require_end(headers: Headers, body: bytes) -> None:
    """Refuse a body that was cut off: the parser would return the fields that came.

    Raises:
        PageError: It does not end as RFC 2046 (5.1.1) says.
    """
    _kind, options = parse_options_header(headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if not boundary or not body.rstrip(b"\r\n \t").endswith(b"--" + boundary + b"--"):
        raise PageError(400)


def is_simple_form(headers: Headers) -> bool:
    """Return whether a body is a form without files, which can be shown again."""
    return _get_type(headers) == _FORM_TYPE


def _get_type(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()
