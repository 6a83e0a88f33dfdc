"""Files and hosts: hashes, artifacts, mutexes, registry keys, software, processes, YARA rules, vulnerabilities."""

from __future__ import annotations

import base64
import re

from sharing.model.values.text import (
    FORBIDDEN_IN_LINE,
    LINE_CHARACTER,
    MULTILINE_CHARACTER,
    InvalidValueError,
    collapse_whitespace,
    require_match,
)
from sharing.model.values.value_type import ValueType, ValueTypeGroup
from sharing.sentences import say

_LARGE = 256 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHA1 = re.compile(r"[0-9a-f]{40}")
_MD5 = re.compile(r"[0-9a-f]{32}")
_SSDEEP = re.compile(r"([0-9]{1,12}):[A-Za-z0-9+/]{0,64}:[A-Za-z0-9+/]{0,64}")
_SSDEEP_SMALLEST_BLOCK = 3
_TLSH = re.compile(r"T1[0-9A-F]{70}")
_BASE64 = re.compile(rf"(?=.{{4,{_LARGE}}}\Z)[A-Za-z0-9+/]+={{0,2}}")
_MUTEX = re.compile(rf"{LINE_CHARACTER}{{1,260}}")
_HIVES = {
    "HKLM": "HKEY_LOCAL_MACHINE",
    "HKCU": "HKEY_CURRENT_USER",
    "HKCR": "HKEY_CLASSES_ROOT",
    "HKU": "HKEY_USERS",
    "HKCC": "HKEY_CURRENT_CONFIG",
}
_REGISTRY_KEY = re.compile(rf"(?:{'|'.join(_HIVES.values())})(?:\\[^\\{FORBIDDEN_IN_LINE}]{{1,255}})+")
_KEY_NAME_MAX = 255  # characters of one element of a registry path
_TEXT = re.compile(rf"{LINE_CHARACTER}{{1,8192}}")
# NIST IR 7695 §6.2: a part, and ten attributes of letters, digits, -._ and escaped punctuation, or * or -.
_CPE_ATTRIBUTE = r"(?:\*|-|\??(?:[a-z0-9_.-]|\\[!-/:-@\[-`{-~])+\*?)"
_CPE = re.compile(rf"cpe:2\.3:[aho*-](?::{_CPE_ATTRIBUTE}){{10}}")
_YARA_RULE = re.compile(r"(?:^|[\s}/])rule[ \t\n]+[A-Za-z_][A-Za-z0-9_]{0,127}\s*(?::[^{]{0,300})?\{")
_YARA_CONDITION = re.compile(r"\bcondition\s{0,100}:[^}]")
_CVE = re.compile(r"CVE-(?:1999|2[0-9]{3})-(?:[0-9]{4}|[1-9][0-9]{4,18})")


def _check_ssdeep(text: str) -> str:
    match = _SSDEEP.fullmatch(text)
    if match is None:
        raise InvalidValueError(say("wrong format"))
    units, remainder = divmod(int(match[1]), _SSDEEP_SMALLEST_BLOCK)
    if remainder or units.bit_count() != 1 or match[1].startswith("0"):
        raise InvalidValueError(say("the block size must be 3, 6, 12 and so on"))
    return text


def _normalise_tlsh(text: str) -> str:
    # Older versions of the reference program write the digits alone. T is not a hexadecimal digit.
    return require_match(_TLSH, f"T1{text.upper().removeprefix('T1')}")


def _normalise_artifact(text: str) -> str:
    body = "".join(text.split())
    if base64.b64encode(base64.b64decode(body, validate=True)).decode() != body:
        raise InvalidValueError(say("must be canonical base64"))
    return body


def _normalise_registry_key(text: str) -> str:
    hive, *path = text.removesuffix("\\").rstrip().split("\\")
    upper = hive.upper()
    hive = _HIVES.get(upper, upper)
    if hive not in _HIVES.values():
        raise InvalidValueError(say("the hive is not known"))
    if not path or any(not name or len(name) > _KEY_NAME_MAX for name in path):
        raise InvalidValueError(say("each element of the path must have 1 to 255 characters"))
    return "\\".join([hive, *path])


def _normalise_software(text: str) -> str:
    name = collapse_whitespace(text)
    if name.lower().startswith("cpe:"):
        return require_match(_CPE, name.lower())
    if not any(character.isalpha() for character in name):
        raise InvalidValueError(say("must contain a letter"))
    return name


def _check_yara(text: str) -> str:
    if _YARA_RULE.search(text) is None or _YARA_CONDITION.search(text) is None or "}" not in text:
        raise InvalidValueError(say("must contain a rule with a condition"))
    return text


FILE_TYPES = (
    ValueType(
        "file-sha256",
        ValueTypeGroup.FILE,
        "the SHA-256 of a file in 64 hexadecimal digits",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        _SHA256,
        lambda text: require_match(_SHA256, text.lower()),
    ),
    ValueType(
        "file-sha1",
        ValueTypeGroup.FILE,
        "the SHA-1 of a file in 40 hexadecimal digits",
        "0123456789abcdef0123456789abcdef01234567",
        _SHA1,
        lambda text: require_match(_SHA1, text.lower()),
    ),
    ValueType(
        "file-md5",
        ValueTypeGroup.FILE,
        "the MD5 of a file in 32 hexadecimal digits",
        "0123456789abcdef0123456789abcdef",
        _MD5,
        lambda text: require_match(_MD5, text.lower()),
    ),
    ValueType(
        "file-ssdeep",
        ValueTypeGroup.FILE,
        "an ssdeep hash: block size and two base64 parts, separated by colons, without a file name",
        "96:U57GjXnLt9co6pZwvLhJluvrszNgMFwO6MkO+aFqm:Hj3Baz7jlUwrEXwjk",
        _SSDEEP,
        _check_ssdeep,
    ),
    ValueType(
        "file-tlsh",
        ValueTypeGroup.FILE,
        "a TLSH hash of 70 hexadecimal digits, with or without the prefix T1",
        "T10123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF012345",
        _TLSH,
        _normalise_tlsh,
    ),
    ValueType(
        "artifact",
        ValueTypeGroup.FILE,
        "the bytes of an artifact in padded base64; never abuse material, for which a hash is shared instead",
        "RVhBTVBMRSBBUlRJRkFDVA==",
        _BASE64,
        _normalise_artifact,
        max_bytes=_LARGE,
        multiline=True,
    ),
    ValueType(
        "mutex",
        ValueTypeGroup.FILE,
        "the name of a mutex, case-sensitive, at most 260 characters",
        "Global\\ExampleMutex",
        _MUTEX,
        lambda text: require_match(_MUTEX, text),
        unicode=True,
    ),
    ValueType(
        "windows-registry-key",
        ValueTypeGroup.FILE,
        "a hive (HKEY_LOCAL_MACHINE or HKLM, and so on), a backslash and the path, case-sensitive",
        "HKEY_LOCAL_MACHINE\\Software\\Example",
        _REGISTRY_KEY,
        _normalise_registry_key,
        unicode=True,
    ),
    ValueType(
        "software",
        ValueTypeGroup.FILE,
        "a CPE 2.3 name (NIST IR 7695), or a name with at least one letter",
        "cpe:2.3:a:example:product:1.0:*:*:*:*:*:*:*",
        _TEXT,
        _normalise_software,
        unicode=True,
    ),
    ValueType(
        "process",
        ValueTypeGroup.FILE,
        "the command line or image name of a process, on one line",
        "C:\\Temp\\example.exe --quiet",
        _TEXT,
        lambda text: text,
        unicode=True,
    ),
    ValueType(
        "yara",
        ValueTypeGroup.FILE,
        "one or more YARA rules, each with a condition",
        "rule example { condition: false }",
        re.compile(rf"{MULTILINE_CHARACTER}{{1,{_LARGE}}}"),
        _check_yara,
        max_bytes=_LARGE,
        multiline=True,
        unicode=True,
    ),
    ValueType(
        "vulnerability",
        ValueTypeGroup.FILE,
        "a CVE id: CVE, the year, and four or more digits, separated by hyphens",
        "CVE-2014-0160",
        _CVE,
        lambda text: require_match(_CVE, text.upper()),
    ),
)
