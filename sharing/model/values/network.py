"""Network indicators: addresses, host names, URLs, traffic endpoints, user agents."""

from __future__ import annotations

import re

from sharing.model.values.host_names import (
    DOMAIN,
    IPV4,
    IPV6,
    ONION,
    normalise_host,
    normalise_host_name,
    normalise_ipv4,
    normalise_ipv6,
    normalise_onion,
)
from sharing.model.values.text import LINE_CHARACTER, InvalidValueError, refang_dots, require_match
from sharing.model.values.value_type import ValueType, ValueTypeGroup
from sharing.sentences import say

_HOST = rf"(?:(?:{DOMAIN})|{IPV4}|\[{IPV6}\])"
_PORT = r"[1-9][0-9]{0,4}"
_PORT_SHAPE = re.compile(_PORT)
_MAX_PORT = 65535

# Scheme: default port, or None if there is no well-defined one, so that the port is always kept.
_SCHEMES: dict[str, int | None] = {
    "http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21, "ftps": 990, "sftp": 22, "ssh": 22,
    "telnet": 23, "tftp": 69, "gopher": 70, "ldap": 389, "ldaps": 636, "rtsp": 554,
    "rtsps": None, "rtmp": None, "rtmps": None, "smb": None, "rdp": None, "vnc": None, "irc": None,
    "ircs": None, "git": None, "svn": None, "socks4": None, "socks5": None, "mqtt": None, "mqtts": None,
    "redis": None, "mysql": None, "postgresql": None, "mongodb": None,
    "stratum": None, "stratum+tcp": None, "stratum+ssl": None,
}  # fmt: skip
_DEFANGED_SCHEMES = {"hxxp": "http", "hxxps": "https", "h**p": "http", "h**ps": "https", "fxp": "ftp"}
_SEPARATOR = r"(?P<separator>://|\[:\]//|\[://\])"
_URL_PARTS = re.compile(
    rf"(?P<scheme>[A-Za-z*][A-Za-z0-9+*]*){_SEPARATOR}(?P<authority>[^/?#\\\s]+)(?P<tail>(?:[/?#][^\s<>\"]*)?)"
)
_URL = re.compile(rf"[a-z][a-z0-9+]{{1,15}}://(?:[^/?#\\\s]*@)?{_HOST}(?::{_PORT})?(?:[/?#][^\s<>\"]*)?")

_TRAFFIC_PARTS = re.compile(rf"(?P<protocol>tcp|udp|sctp|icmp){_SEPARATOR}(?P<endpoint>[^/?#@\\\s]+)", re.IGNORECASE)
_TRAFFIC = re.compile(rf"(?:(?:tcp|udp|sctp)://{_HOST}:{_PORT}|icmp://{_HOST})")

_ASN = re.compile(r"(?:AS ?)?([1-9][0-9]{0,9})", re.IGNORECASE)
_MAX_ASN = 4294967294  # 0 and 4294967295 are reserved (RFC 7607, RFC 7300)
_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
_MAC_INPUT = re.compile(
    r"[0-9a-f]{12}|[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}"
)
_USER_AGENT = re.compile(rf"{LINE_CHARACTER}{{1,8192}}")


def _normalise_autonomous_system(text: str) -> str:
    match = _ASN.fullmatch(text)
    if match is None or int(match[1]) > _MAX_ASN:
        raise InvalidValueError(say("must be a number from 1 to 4294967294"))
    return f"AS{match[1]}"


def _normalise_mac(text: str) -> str:
    digits = re.sub("[:.-]", "", require_match(_MAC_INPUT, text.lower()))
    return ":".join(digits[start : start + 2] for start in range(0, 12, 2))


def _split_port(text: str) -> tuple[str, int | None]:
    """Return the normalised host, and the port or None."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        return normalise_host(text), None
    if not port:  # RFC 3986 §6.2.3: an empty port means no port
        return normalise_host(host), None
    if _PORT_SHAPE.fullmatch(port) is None or int(port) > _MAX_PORT:
        raise InvalidValueError(say("the port must be a number from 1 to 65535"))
    return normalise_host(host), int(port)


def normalise_url(text: str) -> str:
    """Return a URL with scheme and host in normal form and without the scheme's default port.

    User information, path, query and fragment are kept unchanged, except that `[.]` becomes a dot in them if the scheme
    or host was defanged.

    Raises:
        ValueError: The scheme is not known, or the host or port is not valid.
    """
    parts = _URL_PARTS.fullmatch(text)
    if parts is None:
        raise InvalidValueError(say("must be a scheme, :// and a host"))
    written_scheme = parts["scheme"].lower()
    scheme = _DEFANGED_SCHEMES.get(written_scheme, written_scheme)
    if scheme not in _SCHEMES:
        raise InvalidValueError(say("the scheme is not supported"))
    user, at, endpoint = parts["authority"].rpartition("@")
    refanged = refang_dots(endpoint)
    host, port = _split_port(refanged)
    tail = parts["tail"]
    if refanged != endpoint or scheme != written_scheme or parts["separator"] != "://":
        tail = tail.replace("[.]", ".")
    port_suffix = "" if port is None or port == _SCHEMES[scheme] else f":{port}"
    return f"{scheme}://{user}{at}{host}{port_suffix}{tail}"


def _normalise_traffic(text: str) -> str:
    parts = _TRAFFIC_PARTS.fullmatch(text)
    if parts is None:
        raise InvalidValueError(say("must be a protocol, ://, a host and a port"))
    protocol = parts["protocol"].lower()
    host, port = _split_port(refang_dots(parts["endpoint"]))
    if (port is None) is not (protocol == "icmp"):
        raise InvalidValueError(say("icmp must not have a port") if protocol == "icmp" else say("the port is missing"))
    return f"{protocol}://{host}" if port is None else f"{protocol}://{host}:{port}"


def _check_user_agent(text: str) -> str:
    if not any(character.isalpha() for character in text):
        raise InvalidValueError(say("must contain a letter"))
    return text


NETWORK_TYPES = (
    ValueType(
        "ipv4-addr",
        ValueTypeGroup.NETWORK,
        "an IPv4 address in dotted decimal without leading zeros, or a network (address/prefix) without host bits",
        "198.51.100.7",
        re.compile(rf"{IPV4}(?:/(?:3[01]|[12][0-9]|[0-9]))?"),
        lambda text: normalise_ipv4(refang_dots(text)),
        enumerable=True,
    ),
    ValueType(
        "ipv6-addr",
        ValueTypeGroup.NETWORK,
        "an IPv6 address without a zone, or a network (address/prefix) without host bits",
        "2001:db8::7",
        re.compile(rf"{IPV6}(?:/(?:12[0-7]|1[01][0-9]|[1-9]?[0-9]))?"),
        lambda text: normalise_ipv6(refang_dots(text)),
    ),
    ValueType(
        "domain-name",
        ValueTypeGroup.NETWORK,
        "a host name of two or more labels",
        "malware.example.org",
        re.compile(rf"(?=.{{4,253}}\Z){DOMAIN}(?<!\.onion)"),
        lambda text: normalise_host_name(refang_dots(text)),
        unicode=True,
    ),
    ValueType(
        "url",
        ValueTypeGroup.NETWORK,
        "a URL with a known scheme and a host, with white space percent-encoded",
        "https://malware.example.org/a?b=c",
        _URL,
        normalise_url,
        unicode=True,
    ),
    ValueType(
        "autonomous-system",
        ValueTypeGroup.NETWORK,
        "the number of an autonomous system",
        "AS64496",
        re.compile(r"AS[1-9][0-9]{0,9}"),
        _normalise_autonomous_system,
        enumerable=True,
    ),
    ValueType(
        "mac-addr",
        ValueTypeGroup.NETWORK,
        "a MAC address (EUI-48) of twelve hexadecimal digits",
        "00:00:5e:00:53:01",
        _MAC,
        _normalise_mac,
        enumerable=True,
    ),
    ValueType(
        "network-traffic",
        ValueTypeGroup.NETWORK,
        "tcp, udp or sctp, then ://, a host, a colon and a port; or icmp:// and a host",
        "tcp://198.51.100.7:443",
        _TRAFFIC,
        _normalise_traffic,
        unicode=True,
    ),
    ValueType(
        "onion-address",
        ValueTypeGroup.NETWORK,
        "an onion service of version 3 (56 characters with checksum) or 2 (16 characters), then .onion; no subdomain",
        "aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dyp3kead.onion",
        re.compile(ONION),
        lambda text: normalise_onion(refang_dots(text)),
    ),
    ValueType(
        "user-agent",
        ValueTypeGroup.NETWORK,
        "the User-Agent header of a request, on one line",
        "ExampleBot/1.0 (+https://example.org/bot)",
        _USER_AGENT,
        _check_user_agent,
        unicode=True,
    ),
)
