"""Hosts: names, IPv4 and IPv6 addresses, onion services. Shared by the network and mail types."""

from __future__ import annotations

import base64
import hashlib
import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import idna

from sharing.model.values.text import InvalidValueError, require_match
from sharing.sentences import say

_NAME_LENGTH_MAX = 253  # RFC 1035 §2.3.4, without the final dot
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_TOP_LEVEL = r"(?:[a-z]{2,63}|xn--[a-z0-9-]{1,58}[a-z0-9])"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_PREFIX_LENGTH = re.compile(r"0|[1-9][0-9]{0,2}")
_ONION_VERSION_3 = 3
_ONION_3_LENGTH = 56  # base32 of a 32-byte key, a 2-byte checksum and a 1-byte version

DOMAIN = rf"(?:{_LABEL}\.)+{_TOP_LEVEL}"
"""Regular expression for a normalised host name; underscores are allowed as in the DNS (RFC 2181 §11)."""

IPV4 = rf"(?:{_OCTET}\.){{3}}{_OCTET}"
IPV6 = rf"(?:[0-9a-f:]{{2,39}}|::ffff:{IPV4})"
ONION = r"(?:[a-z2-7]{56}|[a-z2-7]{16})\.onion"

_DOMAIN = re.compile(DOMAIN)
_ONION = re.compile(ONION)


def normalise_host_name(text: str) -> str:
    """Return a host name as lower-case A-labels (RFC 5891 after UTS 46 mapping), without a final dot.

    An existing A-label is kept if it is Punycode of a non-ASCII name, even if IDNA 2008 would not allow its
    registration today: such names were registered, and resolve. The public suffix is not checked: a list of suffixes
    becomes outdated, and a name outside it can still be an indicator.

    Raises:
        ValueError: The name has fewer than two labels, an invalid label, or is an IP or onion address.
    """
    if len(text) > _NAME_LENGTH_MAX + 1:  # checked before idna, whose cost grows with the length
        raise InvalidValueError(say("the name must not be longer than 253 characters"))
    host = text.lower() if text.isascii() else _to_ascii(text)
    host = host.removesuffix(".")
    if _DOMAIN.fullmatch(host) is None or len(host) > _NAME_LENGTH_MAX:
        raise InvalidValueError(
            say("must be a host name, not an IP address") if _is_address(host) else say("a label is missing or invalid")
        )
    if "xn--" in host:
        _check_a_labels(host)
    if host.endswith(".onion"):
        raise InvalidValueError(say("onion services must have the type onion-address"))
    return host


def normalise_ipv4(text: str) -> str:
    """Return an IPv4 address in dotted decimal, or a network as address/prefix.

    Leading zeros and octal, hexadecimal and integer notations are refused, since programs interpret them differently. A
    /32 network becomes an address.

    Raises:
        ValueError: The text is neither, or the network has host bits set.
    """
    address, slash, prefix = text.partition("/")
    if not slash:
        return str(IPv4Address(text))
    network = IPv4Network(f"{address}/{require_match(_PREFIX_LENGTH, prefix)}")
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def normalise_ipv6(text: str) -> str:
    """Return an IPv6 address in RFC 5952 form, or a network as address/prefix; a /128 network becomes an address.

    Raises:
        ValueError: The text is neither, has a zone identifier, or the network has host bits set.
    """
    if "%" in text:
        raise InvalidValueError(say("must not have a zone identifier, which is meaningful on one machine only"))
    address, slash, prefix = text.partition("/")
    if not slash:
        return _format_ipv6(IPv6Address(text))
    network = IPv6Network(f"{address}/{require_match(_PREFIX_LENGTH, prefix)}")
    first_address = _format_ipv6(network.network_address)
    return first_address if network.prefixlen == network.max_prefixlen else f"{first_address}/{network.prefixlen}"


def normalise_onion(text: str) -> str:
    """Return an onion address in lower case. The checksum of version 3 is verified; version 2 has none.

    Source: Tor rend-spec-v3, "Encoding onion addresses".

    Raises:
        ValueError: The text is not an onion address, or its checksum or version is wrong.
    """
    address = require_match(_ONION, text.lower().removesuffix("."))
    encoded = address.removesuffix(".onion")
    if len(encoded) == _ONION_3_LENGTH:
        raw = base64.b32decode(encoded.upper())
        key, checksum, version = raw[:32], raw[32:34], raw[34:]
        expected = hashlib.sha3_256(b".onion checksum" + key + version).digest()[:2]
        if version[0] != _ONION_VERSION_3 or checksum != expected:
            raise InvalidValueError(say("the checksum or the version is wrong"))
    return address


def normalise_host(text: str) -> str:
    """Return the normal form of a host: a host name, an onion service with its subdomains, or an address.

    IPv6 addresses are in brackets, as in a URL.

    Raises:
        ValueError: The text is none of these.
    """
    if text.startswith("["):
        if not text.endswith("]") or "/" in text:
            raise InvalidValueError(say("an IPv6 address must be in brackets and must not have a prefix length"))
        return f"[{normalise_ipv6(text[1:-1])}]"
    lower = text.lower().removesuffix(".")
    if lower.endswith(".onion") and text.isascii():
        *subdomains, service, _ = lower.split(".")
        onion = normalise_onion(f"{service}.onion")
        if subdomains:  # validated as labels of a host name, under a placeholder for the service
            normalise_host_name(".".join([*subdomains, "invalid"]))
        return ".".join([*subdomains, onion])
    if lower.replace(".", "").isdigit():  # only digits and dots: an IPv4 address or nothing
        return str(IPv4Address(text))
    return normalise_host_name(text)


def _format_ipv6(address: IPv6Address) -> str:
    # RFC 5952 §5. str() uses the mixed notation only since Python 3.13.
    return str(address) if address.ipv4_mapped is None else f"::ffff:{address.ipv4_mapped}"


def _is_address(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return ":" in text  # no host name contains a colon
    return True


def _to_ascii(text: str) -> str:
    try:
        mapped = idna.uts46_remap(text, std3_rules=False, transitional=False)
        labels = [label if label.isascii() else idna.alabel(label).decode() for label in mapped.split(".")]
    except idna.IDNAError:
        raise InvalidValueError(
            say("each label must be valid in IDNA 2008, or be given as an A-label (xn--…)")
        ) from None
    return ".".join(labels)


def _check_a_labels(host: str) -> None:
    for label in host.split("."):
        if label.startswith("xn--") and label[4:].encode().decode("punycode").isascii():
            raise InvalidValueError(say("each xn-- label must be Punycode of a non-ASCII name"))
