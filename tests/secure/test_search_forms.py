"""The search itself finds a word in each form in which something could have written it."""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Callable

import pytest

from tests.secure.canary_search import Search

WORD = b"canary-value"


@pytest.mark.parametrize(
    "write",
    [
        lambda word: word,
        bytes.upper,
        lambda word: word.hex().encode(),
        lambda word: word.hex().upper().encode(),
        lambda word: word[::-1],
        lambda word: word.decode().encode("utf-16-le"),
        lambda word: word.decode().encode("utf-16"),
        base64.b64encode,
        lambda word: base64.b64encode(b"x" + word + b"yz"),
        lambda word: base64.urlsafe_b64encode(b"xy" + word + b"z"),
        lambda word: json.dumps({"x": word.decode()}).encode(),
        lambda word: urllib.parse.quote(word).encode(),
    ],
)
def test_each_form_is_found(write: Callable[[bytes], bytes]) -> None:
    search = Search({"word": WORD, "other": b"another-word"})
    assert {find.word for find in search.find("here", b"\xff before " + write(WORD) + b" behind\0")} == {"word"}


def test_secrets_are_found_as_bytes_and_encoded() -> None:
    secret = bytes(range(200, 232))
    search = Search({"key": secret})
    for text in (secret, secret.hex().encode(), base64.b64encode(b"a" + secret), base64.urlsafe_b64encode(secret)):
        assert [find.word for find in search.find("here", b"- " + text + b" -")] == ["key"]
    assert search.find("here", secret[:-1]) == []
