"""The one table of MISP's attribute types: which indicator each becomes, or why none.

It knows every type of MISP's own list (describeTypes, 194 types in 2026). Where a MISP type holds values of two of
our types, the value decides by being valid as one; it is never rewritten into another.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from sharing.interop.reading import Cause
from sharing.model.validation import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Target:
    """The indicator that a MISP type becomes.

    Attributes:
        types: Types of indicator, tried in order.
        written: How the value is written; `{sibling}` stands for the value of another attribute of the same object.
        sibling: Type or object relation of that attribute, or "". Without it the value stands alone.
    """

    types: tuple[str, ...]
    written: str = "{value}"
    sibling: str = ""


@dataclass(frozen=True, slots=True)
class NoTarget:
    """Why a MISP type becomes no indicator."""

    cause: Cause
    reason: str


_IP = Target(("ipv4-addr", "ipv6-addr"))
_HOST = Target(("domain-name", "onion-address"))
_EMAIL = Target(("email-addr",))
_PHONE = Target(("phone-number",))
_CERTIFICATE = Target(("x509-certificate",))

TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        "ip-src": _IP,
        "ip-dst": _IP,
        "domain": _HOST,
        "hostname": _HOST,
        "onion-address": Target(("onion-address",)),
        "url": Target(("url",)),
        "AS": Target(("autonomous-system",)),
        "mac-address": Target(("mac-addr",)),
        "user-agent": Target(("user-agent",)),
        "x509-fingerprint-sha1": _CERTIFICATE,
        "x509-fingerprint-sha256": _CERTIFICATE,
        "ssh-fingerprint": Target(("ssh-fingerprint",)),
        "ja3-fingerprint-md5": Target(("ja3-fingerprint-md5",)),
        "jarm-fingerprint": Target(("jarm-fingerprint",)),
        "pgp-public-key": Target(("pgp-public-key",)),
        "md5": Target(("file-md5",)),
        "sha1": Target(("file-sha1",)),
        "sha256": Target(("file-sha256",)),
        "ssdeep": Target(("file-ssdeep",)),
        "tlsh": Target(("file-tlsh",)),
        "mutex": Target(("mutex",)),
        "regkey": Target(("windows-registry-key",)),
        "cpe": Target(("software",)),
        "yara": Target(("yara",)),
        "vulnerability": Target(("vulnerability",)),
        "email": _EMAIL,
        "email-src": _EMAIL,
        "email-dst": _EMAIL,
        "email-reply-to": _EMAIL,
        "whois-registrant-email": _EMAIL,
        "dns-soa-email": _EMAIL,
        "email-message-id": Target(("email-message-id",)),
        "jabber-id": Target(("jabber-id",)),
        "github-username": Target(("user-account",), "github:{value}"),
        "twitter-id": Target(("user-account",), "twitter:{value}"),
        "phone-number": _PHONE,
        "whois-registrant-phone": _PHONE,
        "iban": Target(("iban",)),
        "bic": Target(("bic",)),
        "bank-account-nr": Target(("bank-account-nr",)),
        "cc-number": Target(("cc-number",)),
        "bin": Target(("cc-bin",)),
        "prtn": Target(("prtn",)),
        "btc": Target(("btc-address",)),
        "xmr": Target(("xmr-address",)),
        "dash": Target(("coin-address",), "DASH:{value}"),
        "full-name": Target(("person",), "{value}|{sibling}", "date-of-birth"),
        "passport-number": Target(("passport-number",), "{sibling}:{value}", "passport-country"),
        "identity-card-number": Target(("identity-card-number",)),
    }
)
"""MISP type: what it becomes."""

TEXT_TARGETS: Mapping[tuple[str, str], Target] = MappingProxyType(
    {
        ("phone", "imei"): Target(("imei",)),
        ("phone", "imsi"): Target(("imsi",)),
        ("phone", "iccid"): Target(("iccid",)),
        ("phone", "msisdn"): _PHONE,
        ("imsi-catcher", "imsi"): Target(("imsi",)),
        ("coin-address", "address-crypto"): Target(("coin-address",), "{sibling}:{value}", "symbol"),
        ("btc-transaction", "transaction-number"): Target(("transaction-hash",), "BTC:{value}"),
        ("cryptocurrency-transaction", "transaction-number"): Target(
            ("transaction-hash",), "{sibling}:{value}", "symbol"
        ),
        ("telegram-account", "username"): Target(("user-account",), "telegram:{value}"),
    }
)
"""Name and relation in a MISP object whose values MISP types as text: what they become."""

_REGISTRY_DATA = "regkey-value"  # the second half of regkey|value, which MISP gives no type of its own
_HASHES = (
    "md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha512/224", "sha512/256", "sha3-224", "sha3-256",
    "sha3-384", "sha3-512", "authentihash", "vhash", "ssdeep", "imphash", "impfuzzy", "pehash", "tlsh",
)  # fmt: skip

COMPOSITES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "domain|ip": ("domain", "ip-dst"),
        "hostname|port": ("hostname", "port"),
        "ip-src|port": ("ip-src", "port"),
        "ip-dst|port": ("ip-dst", "port"),
        "regkey|value": ("regkey", _REGISTRY_DATA),
        "malware-sample": ("filename", "md5"),
        **{f"filename|{name}": ("filename", name) for name in _HASHES},
    }
)
"""MISP types that hold two values, with the type of each."""

_FREE_TEXT = ("text", "comment", "other", "link", "hex", "anonymised", "email-body")
_VICTIMS = (
    "target-user", "target-email", "target-machine", "target-org", "target-location", "target-external",
)  # fmt: skip
_HINTS = {
    "filename": "publish the hash of the file",
    "uri": "publish the whole URL, with scheme and host",
    "port": "with the protocol, a JSON line of the type network-traffic can hold address and port",
    _REGISTRY_DATA: "the key itself is read as an indicator of its own",
    "x509-fingerprint-md5": "publish the SHA-1 or SHA-256 fingerprint",
    "pgp-private-key": "a private key is never shared",
    "date-of-birth": "it is read together with a full-name of the same object",
    "passport-country": "it is read together with a passport-number of the same object",
    "first-name": "publish a person as a full name with the date of birth",
    "last-name": "publish a person as a full name with the date of birth",
}
_NO_TYPE = (
    *_HINTS,
    "pdb", "eppn", "email-subject", "email-attachment", "float", "git-commit-id", "http-method", "favicon-mmh3",
    "hassh-md5", "hasshserver-md5", "snort", "suricata", "bro", "zeek", "community-id", "dom-hash",
    "pattern-in-file", "pattern-in-traffic", "pattern-in-memory", "filename-pattern", "stix2-pattern", "sigma",
    "gene", "kusto-query", "mime-type", "cookie", "weakness", "named pipe", "process-state", "aba-rtn",
    "threat-actor", "campaign-name", "campaign-id", "malware-type", "authentihash", "vhash", "imphash", "telfhash",
    "pehash", "impfuzzy", "sha224", "sha384", "sha512", "sha512/224", "sha512/256", "sha3-224", "sha3-256",
    "sha3-384", "sha3-512", "cdhash", "windows-scheduled-task", "windows-service-name",
    "windows-service-displayname", "whois-registrant-name", "whois-registrant-org", "whois-registrar",
    "whois-creation-date", "size-in-bytes", "counter", "integer", "datetime", "mac-eui-64",
    "email-dst-display-name", "email-src-display-name", "email-header", "email-x-mailer", "email-mime-boundary",
    "email-thread-index", "github-repository", "github-organisation", "dkim", "dkim-signature", "middle-name",
    "place-of-birth", "gender", "passport-expiration", "redress-number", "nationality", "visa-number",
    "issue-date-of-the-visa", "primary-residence", "country-of-residence", "special-service-request",
    "frequent-flyer-number", "travel-details", "payment-details", "place-port-of-original-embarkation",
    "place-port-of-clearance", "place-port-of-onward-foreign-destination", "passenger-name-record-locator-number",
    "mobile-application-id", "azure-application-id", "chrome-extension-id", "edge-extension-id", "cortex", "boolean",
    "uuid",
)  # fmt: skip


def _no_type(name: str) -> NoTarget:
    hint = f"; {_HINTS[name]}" if name in _HINTS else ""
    what = "the data of a registry value" if name == _REGISTRY_DATA else f"MISP's {name!r}"
    return NoTarget(Cause.UNSUPPORTED_TYPE, f"no type of indicator holds {what}{hint}")


NO_TARGETS: Mapping[str, NoTarget] = MappingProxyType(
    {name: _no_type(name) for name in _NO_TYPE}
    | {
        name: NoTarget(
            Cause.FREE_TEXT,
            f"MISP's {name!r} is free text; publish an observable that it names under that observable's own type",
        )
        for name in _FREE_TEXT
    }
    | {
        name: NoTarget(
            Cause.UNSUPPORTED_TYPE,
            f"MISP's {name!r} names a target of the attack; publish it as a JSON line with the facts of a victim",
        )
        for name in _VICTIMS
    }
    | {"attachment": NoTarget(Cause.ATTACHMENT, "it is a file; files are not published, publish the hash of the file")}
)
"""MISP type: why it becomes no indicator."""


def target_of(misp_type: str, *, object_name: str = "", relation: str = "") -> Target | NoTarget:
    """Return what a value of a MISP type becomes.

    Args:
        misp_type: The type of the attribute, or of one part of a composite.
        object_name: Name of the MISP object that holds the attribute, or "".
        relation: Its relation in that object, or "".
    """
    if misp_type == "text" and (object_name, relation) in TEXT_TARGETS:
        return TEXT_TARGETS[object_name, relation]
    found = TARGETS.get(misp_type) or NO_TARGETS.get(misp_type)
    if found is None:
        hint = nearest(misp_type[:80], [*TARGETS, *NO_TARGETS, *COMPOSITES])
        return NoTarget(Cause.UNSUPPORTED_TYPE, f"it is of no type that MISP defines{hint}")
    return found
