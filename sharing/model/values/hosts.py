"""Hosts: names, IPv4 and IPv6 addresses, onion services. Network and mail types share these rules."""

from __future__ import annotations

import base64
import hashlib
import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import idna

from sharing.model.values.text import Refused, require

_MAX_NAME = 253  # RFC 1035 §2.3.4, without the final dot
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_TOP_LEVEL = r"(?:[a-z]{2,63}|xn--[a-z0-9-]{1,58}[a-z0-9])"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_PREFIX = re.compile(r"0|[1-9][0-9]{0,2}")
_ONION_VERSION_3 = 3
_ONION_3_LENGTH = 56  # base32 of 32 bytes of key, 2 of checksum, 1 of version

DOMAIN = rf"(?:{_LABEL}\.)+{_TOP_LEVEL}"
"""Regular expression for a normalised name; underscores are allowed as in the DNS (RFC 2181 §11)."""

IPV4 = rf"(?:{_OCTET}\.){{3}}{_OCTET}"
IPV6 = rf"(?:[0-9a-f:]{{2,39}}|::ffff:{IPV4})"
ONION = r"(?:[a-z2-7]{56}|[a-z2-7]{16})\.onion"

_DOMAIN = re.compile(DOMAIN)
_ONION = re.compile(ONION)


def normalise_domain(text: str) -> str:
    """Return a host name as lower-case A-labels (RFC 5891 after UTS 46 mapping), without a final dot.

    A label that already is an A-label is kept if it is Punycode of something outside ASCII, even where IDNA
    2008 would not register it today: such names were registered, and resolve. No public suffix is asked for:
    a list of suffixes ages, and a name outside it can still be an indicator.

    Raises:
        ValueError: It has fewer than two labels, an invalid label, or is an IP or onion address.
    """
    if len(text) > _MAX_NAME + 1:  # before idna, whose cost grows with the length
        raise Refused("the name is longer than 253 characters")
    host = text.lower() if text.isascii() else _to_ascii(text)
    host = host.removesuffix(".")
    if _DOMAIN.fullmatch(host) is None or len(host) > _MAX_NAME:
        raise Refused("it is an IP address" if _is_address(host) else "a label is missing or invalid")
    if "xn--" in host:
        _check_a_labels(host)
    if host.endswith(".onion"):
        raise Refused("an onion service has the type onion-address")
    return host


def normalise_ipv4(text: str) -> str:
    """Return an IPv4 address in dotted decimal, or a network as address/prefix.

    Leading zeros, octal, hexadecimal and integer notations are refused, since programs read them differently.
    A /32 is the address itself.

    Raises:
        ValueError: It is neither, or the network has host bits set.
    """
    address, slash, prefix = text.partition("/")
    if not slash:
        return str(IPv4Address(text))
    network = IPv4Network(f"{address}/{require(_PREFIX, prefix)}")
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def normalise_ipv6(text: str) -> str:
    """Return an IPv6 address as RFC 5952 writes it, or a network as address/prefix; a /128 is an address.

    Raises:
        ValueError: It is neither, it names a zone, or the network has host bits set.
    """
    if "%" in text:
        raise Refused("a zone has a meaning on one machine only")
    address, slash, prefix = text.partition("/")
    if not slash:
        return _write_ipv6(IPv6Address(text))
    network = IPv6Network(f"{address}/{require(_PREFIX, prefix)}")
    written = _write_ipv6(network.network_address)
    return written if network.prefixlen == network.max_prefixlen else f"{written}/{network.prefixlen}"


def normalise_onion(text: str) -> str:
    """Return an onion address in lower case. The checksum of version 3 is verified; version 2 has none.

    Source: Tor rend-spec-v3, "Encoding onion addresses".

    Raises:
        ValueError: It is not an onion address, or the checksum or the version does not match.
    """
    address = require(_ONION, text.lower().removesuffix("."))
    encoded = address.removesuffix(".onion")
    if len(encoded) == _ONION_3_LENGTH:
        raw = base64.b32decode(encoded.upper())
        key, checksum, version = raw[:32], raw[32:34], raw[34:]
        expected = hashlib.sha3_256(b".onion checksum" + key + version).digest()[:2]
        if version[0] != _ONION_VERSION_3 or checksum != expected:
            raise Refused("the checksum does not match")
    return address


def normalise_host(text: str) -> str:
    """Return a host in its normal form: a name, an onion service with its subdomains, or an address.

    An IPv6 address is given and returned in brackets, as in a URL.

    Raises:
        ValueError: It is none of them.
    """
    if text.startswith("["):
        if not text.endswith("]") or "/" in text:
            raise Refused("the host is not valid")
        return f"[{normalise_ipv6(text[1:-1])}]"
    lower = text.lower().removesuffix(".")
    if lower.endswith(".onion") and text.isascii():
        *subdomains, service, _ = lower.split(".")
        onion = normalise_onion(f"{service}.onion")
        if subdomains:  # judged as labels of a name, under a suffix that stands in for the service
            normalise_domain(".".join([*subdomains, "invalid"]))
        return ".".join([*subdomains, onion])
    if lower.replace(".", "").isdigit():
        return str(IPv4Address(text))
    return normalise_domain(text)


def _write_ipv6(address: IPv6Address) -> str:
    # RFC 5952 §5. str() writes the mixed notation only from Python 3.13 on.
    return str(address) if address.ipv4_mapped is None else f"::ffff:{address.ipv4_mapped}"


def _is_address(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return ":" in text
    return True


def _to_ascii(text: str) -> str:
    try:
        mapped = idna.uts46_remap(text, std3_rules=False, transitional=False)
        labels = [label if label.isascii() else idna.alabel(label).decode() for label in mapped.split(".")]
    except idna.IDNAError:
        raise Refused("a label is not valid in IDNA 2008; give it as an A-label (xn--…)") from None
    return ".".join(labels)


def _check_a_labels(host: str) -> None:
    for label in host.split("."):
        if label.startswith("xn--") and label[4:].encode().decode("punycode").isascii():
            raise Refused("a label is not Punycode of a name outside ASCII")
