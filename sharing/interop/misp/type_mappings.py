"""Maps each attribute type of MISP to the indicator type it becomes, or to the reason why it becomes none.

The tables cover MISP's complete list (describeTypes, 194 types in 2026). Where a MISP type maps to two indicator
types, the first type for which the value is valid is used; the value is never rewritten to fit another type.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from sharing.interop.import_results import UnpublishedCause
from sharing.interop.type_mapping import TypeMapping, UnmappedType
from sharing.model.validation_errors import suggest_nearest

if TYPE_CHECKING:
    from collections.abc import Mapping


_IP = TypeMapping(("ipv4-addr", "ipv6-addr"))
_HOST = TypeMapping(("domain-name", "onion-address"))
_EMAIL = TypeMapping(("email-addr",))
_PHONE = TypeMapping(("phone-number",))
_CERTIFICATE = TypeMapping(("x509-certificate",))

TYPE_MAPPINGS: Mapping[str, TypeMapping] = MappingProxyType(
    {
        "ip-src": _IP,
        "ip-dst": _IP,
        "domain": _HOST,
        "hostname": _HOST,
        "onion-address": TypeMapping(("onion-address",)),
        "url": TypeMapping(("url",)),
        "AS": TypeMapping(("autonomous-system",)),
        "mac-address": TypeMapping(("mac-addr",)),
        "user-agent": TypeMapping(("user-agent",)),
        "x509-fingerprint-sha1": _CERTIFICATE,
        "x509-fingerprint-sha256": _CERTIFICATE,
        "ssh-fingerprint": TypeMapping(("ssh-fingerprint",)),
        "ja3-fingerprint-md5": TypeMapping(("ja3-fingerprint-md5",)),
        "jarm-fingerprint": TypeMapping(("jarm-fingerprint",)),
        "pgp-public-key": TypeMapping(("pgp-public-key",)),
        "md5": TypeMapping(("file-md5",)),
        "sha1": TypeMapping(("file-sha1",)),
        "sha256": TypeMapping(("file-sha256",)),
        "ssdeep": TypeMapping(("file-ssdeep",)),
        "tlsh": TypeMapping(("file-tlsh",)),
        "mutex": TypeMapping(("mutex",)),
        "regkey": TypeMapping(("windows-registry-key",)),
        "cpe": TypeMapping(("software",)),
        "yara": TypeMapping(("yara",)),
        "vulnerability": TypeMapping(("vulnerability",)),
        "email": _EMAIL,
        "email-src": _EMAIL,
        "email-dst": _EMAIL,
        "email-reply-to": _EMAIL,
        "whois-registrant-email": _EMAIL,
        "dns-soa-email": _EMAIL,
        "email-message-id": TypeMapping(("email-message-id",)),
        "jabber-id": TypeMapping(("jabber-id",)),
        "github-username": TypeMapping(("user-account",), "github:{value}"),
        "twitter-id": TypeMapping(("user-account",), "twitter:{value}"),
        "phone-number": _PHONE,
        "whois-registrant-phone": _PHONE,
        "iban": TypeMapping(("iban",)),
        "bic": TypeMapping(("bic",)),
        "bank-account-nr": TypeMapping(("bank-account-nr",)),
        "cc-number": TypeMapping(("cc-number",)),
        "bin": TypeMapping(("cc-bin",)),
        "prtn": TypeMapping(("prtn",)),
        "btc": TypeMapping(("btc-address",)),
        "xmr": TypeMapping(("xmr-address",)),
        "dash": TypeMapping(("coin-address",), "DASH:{value}"),
        "full-name": TypeMapping(("person",), "{value}|{sibling}", "date-of-birth"),
        "passport-number": TypeMapping(("passport-number",), "{sibling}:{value}", "passport-country"),
        "identity-card-number": TypeMapping(("identity-card-number",)),
    }
)
"""MISP type: its mapping."""

TEXT_MAPPINGS: Mapping[tuple[str, str], TypeMapping] = MappingProxyType(
    {
        ("phone", "imei"): TypeMapping(("imei",)),
        ("phone", "imsi"): TypeMapping(("imsi",)),
        ("phone", "iccid"): TypeMapping(("iccid",)),
        ("phone", "msisdn"): _PHONE,
        ("imsi-catcher", "imsi"): TypeMapping(("imsi",)),
        ("coin-address", "address-crypto"): TypeMapping(("coin-address",), "{sibling}:{value}", "symbol"),
        ("btc-transaction", "transaction-number"): TypeMapping(("transaction-hash",), "BTC:{value}"),
        ("cryptocurrency-transaction", "transaction-number"): TypeMapping(
            ("transaction-hash",), "{sibling}:{value}", "symbol"
        ),
        ("telegram-account", "username"): TypeMapping(("user-account",), "telegram:{value}"),
    }
)
"""Object name and relation of values that MISP types as text: their mapping."""

_REGISTRY_DATA = "regkey-value"  # the second part of regkey|value, for which MISP has no type
_HASHES = (
    "md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha512/224", "sha512/256", "sha3-224", "sha3-256",
    "sha3-384", "sha3-512", "authentihash", "vhash", "ssdeep", "imphash", "impfuzzy", "pehash", "tlsh",
)  # fmt: skip

COMPOSITE_TYPES: Mapping[str, tuple[str, str]] = MappingProxyType(
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
"""MISP types with two values: the type of each value."""

_UNTYPED = ("text", "comment", "other")
_PROSE_WORDS_MIN = 5  # fewer are a name, an identifier or a short list
_URI = re.compile(r"\s*[a-z][a-z0-9+.-]*:\S", re.IGNORECASE)
_ANTIVIRUS = "Antivirus detection"
_VICTIMS = (
    "target-user", "target-email", "target-machine", "target-org", "target-location", "target-external",
)  # fmt: skip
_HINTS = {
    "filename": "publish the hash of the file",
    "uri": "publish the whole URL, with scheme and host",
    "port": "with the protocol, a JSON line of the type network-traffic can carry address and port",
    _REGISTRY_DATA: "the key itself is read as a separate indicator",
    "hex": "publish the bytes under the type of the observable",
    "anonymised": "the value itself was removed",
    "x509-fingerprint-md5": "publish the SHA-1 or SHA-256 fingerprint",
    "pgp-private-key": "a private key is never shared",
    "date-of-birth": "it is read together with a full-name of the same object",
    "passport-country": "it is read together with a passport-number of the same object",
    "first-name": "publish a person as a full name with the date of birth",
    "last-name": "publish a person as a full name with the date of birth",
}
_UNSUPPORTED = (
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


def _make_unmapped_type(name: str) -> UnmappedType:
    hint = f"; {_HINTS[name]}" if name in _HINTS else ""
    what = "the data of a registry value" if name == _REGISTRY_DATA else f"MISP's {name!r}"
    return UnmappedType(UnpublishedCause.UNSUPPORTED_TYPE, f"no type of indicator covers {what}{hint}")


def _make_prose_type(name: str) -> UnmappedType:
    return UnmappedType(
        UnpublishedCause.FREE_TEXT,
        f"MISP's {name!r} is free text; publish an observable in it separately, under the type of the observable",
    )


_OBJECT_FIELD = UnmappedType(
    UnpublishedCause.UNSUPPORTED_TYPE, "no type of indicator covers this field of the MISP object"
)
_DETECTION_NAME = UnmappedType(
    UnpublishedCause.UNSUPPORTED_TYPE,
    "it is the name under which a scanner detects a file; publish the file's hash",
)

UNMAPPED_TYPES: Mapping[str, UnmappedType] = MappingProxyType(
    {name: _make_unmapped_type(name) for name in _UNSUPPORTED}
    | {
        name: UnmappedType(
            UnpublishedCause.UNSUPPORTED_TYPE,
            f"MISP's {name!r} does not say what kind of value it is; if it is an observable, give the attribute its "
            "type in MISP, or publish a JSON line",
        )
        for name in _UNTYPED
    }
    | {
        "email-body": _make_prose_type("email-body"),
        "link": UnmappedType(
            UnpublishedCause.REFERENCE,
            "MISP's 'link' refers to a page about the event; an address of the offence has the type url",
        ),
    }
    | {
        name: UnmappedType(
            UnpublishedCause.UNSUPPORTED_TYPE,
            f"MISP's {name!r} names a target of the attack; publish it as a JSON line with the facts of a victim",
        )
        for name in _VICTIMS
    }
    | {
        "attachment": UnmappedType(
            UnpublishedCause.ATTACHMENT, "it is a file; files are not published, publish the hash of the file"
        )
    }
)
"""MISP type: why it does not become an indicator."""


def find_mapping(
    misp_type: str, value: str = "", *, object_name: str = "", relation: str = "", category: str = ""
) -> TypeMapping | UnmappedType:
    """Return the mapping of a MISP type.

    Args:
        misp_type: Type of the attribute, or of one part of a composite.
        value: Its value, which tells prose from a value without a type.
        object_name: Name of the MISP object that contains the attribute, or "".
        relation: Its relation in that object, or "".
        category: Its MISP category, or "".
    """
    if misp_type == "text" and (object_name, relation) in TEXT_MAPPINGS:
        return TEXT_MAPPINGS[object_name, relation]
    if misp_type in _UNTYPED:
        return _describe_untyped(misp_type, value, category, in_object=bool(object_name))
    mapping = TYPE_MAPPINGS.get(misp_type) or UNMAPPED_TYPES.get(misp_type)
    if mapping is None:
        hint = suggest_nearest(misp_type[:80], [*TYPE_MAPPINGS, *UNMAPPED_TYPES, *COMPOSITE_TYPES])
        return UnmappedType(UnpublishedCause.UNSUPPORTED_TYPE, f"MISP does not define its type{hint}")
    return mapping


def _describe_untyped(misp_type: str, value: str, category: str, *, in_object: bool) -> UnmappedType:
    """Return why a value of a type that may hold anything is not published."""
    if len(value.split()) >= _PROSE_WORDS_MIN and _URI.match(value) is None:
        return _make_prose_type(misp_type)
    if in_object:
        return _OBJECT_FIELD
    return _DETECTION_NAME if category == _ANTIVIRUS else UNMAPPED_TYPES[misp_type]
