"""Mail addresses and accounts."""

from __future__ import annotations

import re
import unicodedata

from sharing.model.values.host_names import DOMAIN, normalise_host_name
from sharing.model.values.text import InvalidValueError, lower_nfc, refang_at, refang_dots, require_match
from sharing.model.values.value_type import ValueType, ValueTypeGroup
from sharing.sentences import say

_LOCAL_MAX = 64  # bytes, RFC 5321 §4.5.3.1.1
# RFC 5322 atext, extended beyond ASCII by RFC 6532.
_ATOM = r"(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]|[^\s\x00-\xa0]){1,64}"
_LOCAL_TEXT = rf"{_ATOM}(?:\.{_ATOM})*"
_LOCAL = re.compile(_LOCAL_TEXT)
_MESSAGE_ID_INPUT = re.compile(r"[^\s<>@]{1,512}@[^\s<>@]{1,512}")
_ACCOUNT = re.compile(r"(?=[^:]*[a-z])[a-z0-9][a-z0-9._-]{0,63}:(?!//)[^\s@][^\s]{0,511}")
# RFC 7622 §3.3.1 excludes these from the local part.
_JABBER_LOCAL_TEXT = r"[^\s\"&'/:<>@A-Z]{1,512}"
_JABBER_LOCAL = re.compile(_JABBER_LOCAL_TEXT)


def _normalise_email(text: str) -> str:
    local, at, domain = refang_at(text).rpartition("@")
    if not at:
        raise InvalidValueError(say("must contain an @"))
    local = local.replace("[.]", ".").replace("(.)", ".")
    if _LOCAL.fullmatch(local) is None or len(local.encode()) > _LOCAL_MAX:
        raise InvalidValueError(say("the part before the @ is not valid"))
    return f"{local}@{normalise_host_name(refang_dots(domain))}"


def _normalise_message_id(text: str) -> str:
    inner = text[1:-1] if text.startswith("<") and text.endswith(">") else text
    return f"<{require_match(_MESSAGE_ID_INPUT, inner)}>"


def _normalise_account(text: str) -> str:
    platform, colon, handle = text.partition(":")
    if not colon or not platform.isascii():
        raise InvalidValueError(say("must be a platform, a colon and a handle"))
    return require_match(_ACCOUNT, f"{platform.strip().lower()}:{handle.strip().removeprefix('@')}")


def _normalise_jabber_id(text: str) -> str:
    local, at, domain = refang_at(text).rpartition("@")
    if not at or "/" in domain:
        raise InvalidValueError(say("must be a bare JID, without a resource"))
    local = require_match(_JABBER_LOCAL, lower_nfc(local))
    # RFC 7622 §3.3: a PRECIS identifier may contain only letters and digits from outside ASCII.
    if not local.isascii() and any(c > "\x7f" and unicodedata.category(c)[0] not in "LMN" for c in local):
        raise InvalidValueError(say("the part before the @ is not valid"))
    return f"{local}@{normalise_host_name(refang_dots(domain))}"


ACCOUNT_TYPES = (
    ValueType(
        "email-addr",
        ValueTypeGroup.ACCOUNT,
        "a mail address without display name, quotes or address literal; the case of the part before the @ is kept",
        "Someone@example.org",
        re.compile(rf"{_LOCAL_TEXT}@{DOMAIN}"),
        _normalise_email,
        unicode=True,
    ),
    ValueType(
        "email-message-id",
        ValueTypeGroup.ACCOUNT,
        "the Message-ID of a mail, with or without angle brackets",
        "<20260301.1200.1@mail.example.org>",
        re.compile(r"<[^\s<>@]{1,512}@[^\s<>@]{1,512}>"),
        _normalise_message_id,
    ),
    ValueType(
        "user-account",
        ValueTypeGroup.ACCOUNT,
        "a platform, a colon, and a handle without a leading @ and without white space",
        "telegram:example_handle",
        _ACCOUNT,
        _normalise_account,
        unicode=True,
    ),
    ValueType(
        "jabber-id",
        ValueTypeGroup.ACCOUNT,
        "a bare JID, without a resource",
        "someone@example.org",
        re.compile(rf"{_JABBER_LOCAL_TEXT}@{DOMAIN}"),
        _normalise_jabber_id,
        unicode=True,
    ),
)
