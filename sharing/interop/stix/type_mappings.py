"""Maps each property of STIX's observables to the type of indicator it becomes, or to the reason why it becomes none.

The tables cover the 18 observables of STIX 2.1, and the properties that they had in STIX 2.0.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from sharing.interop.import_results import UnpublishedCause
from sharing.interop.type_mapping import TypeMapping, UnmappedType

if TYPE_CHECKING:
    from collections.abc import Mapping

OBSERVABLE_TYPES: Final = frozenset(
    {
        "artifact", "autonomous-system", "directory", "domain-name", "email-addr", "email-message", "file", "ipv4-addr",
        "ipv6-addr", "mac-addr", "mutex", "network-traffic", "process", "software", "url", "user-account",
        "windows-registry-key", "x509-certificate",
    }
)  # fmt: skip
"""The types of STIX's observables."""

CONTEXT_TYPES: Final = frozenset(
    {
        "attack-pattern", "campaign", "course-of-action", "extension-definition", "grouping", "identity", "incident",
        "infrastructure", "intrusion-set", "language-content", "location", "malware", "malware-analysis",
        "marking-definition", "note", "observed-data", "opinion", "relationship", "report", "sighting", "threat-actor",
        "tool", "vulnerability",
    }
)  # fmt: skip
"""The types of STIX's other objects than indicators: they say something about values, and are none."""

_USER_AGENT = "user-agent"
_ACCOUNT = TypeMapping(("user-account",), "{sibling}:{value}", "account_type")
_HOST = TypeMapping(("domain-name", "onion-address"))
_PROCESS = TypeMapping(("process",))

PROPERTY_MAPPINGS: Mapping[tuple[str, str], TypeMapping] = MappingProxyType(
    {
        ("ipv4-addr", "value"): TypeMapping(("ipv4-addr",)),
        ("ipv6-addr", "value"): TypeMapping(("ipv6-addr",)),
        ("mac-addr", "value"): TypeMapping(("mac-addr",)),
        ("domain-name", "value"): _HOST,
        ("url", "value"): TypeMapping(("url",)),
        ("autonomous-system", "number"): TypeMapping(("autonomous-system",)),
        ("email-addr", "value"): TypeMapping(("email-addr",)),
        ("email-message", "message_id"): TypeMapping(("email-message-id",)),
        ("mutex", "name"): TypeMapping(("mutex",)),
        ("windows-registry-key", "key"): TypeMapping(("windows-registry-key",)),
        ("software", "cpe"): TypeMapping(("software",)),
        ("process", "command_line"): _PROCESS,
        ("process", "name"): _PROCESS,  # STIX 2.0
        ("user-account", "user_id"): _ACCOUNT,
        ("user-account", "account_login"): _ACCOUNT,
    }
)
"""Type of observable and property: its mapping."""

HASH_MAPPINGS: Mapping[tuple[str, str], TypeMapping] = MappingProxyType(
    {
        (holder, algorithm): TypeMapping((f"file-{algorithm}",))
        for holder in ("file", "artifact")
        for algorithm in ("md5", "sha1", "sha256", "ssdeep", "tlsh")
    }
    | {("x509-certificate", algorithm): TypeMapping(("x509-certificate",)) for algorithm in ("sha1", "sha256")}
)
"""Type of observable and algorithm in lower case without separators: the mapping of a hash."""

_ADDRESSES = ("ipv4-addr", "ipv6-addr", "mac-addr", "domain-name")
_REFERENCES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "src_ref": _ADDRESSES,
        "dst_ref": _ADDRESSES,
        "resolves_to_refs": _ADDRESSES,
        "from_ref": ("email-addr",),
        "sender_ref": ("email-addr",),
        "to_refs": ("email-addr",),
        "cc_refs": ("email-addr",),
        "bcc_refs": ("email-addr",),
        "belongs_to_refs": ("autonomous-system",),
        "body_raw_ref": ("file", "artifact"),
        "raw_email_ref": ("artifact",),
        "content_ref": ("artifact",),
        "image_ref": ("file",),
        "binary_ref": ("file",),  # STIX 2.0
        "opened_connection_refs": ("network-traffic",),
    }
)
"""Property by which a pattern follows a reference: the types of observable to which it leads."""

_LOCAL_ACCOUNTS = frozenset({
    "unix", "windows-local", "windows-domain", "ldap", "nis", "radius", "tacacs", "openid",
})  # fmt: skip
"""Account types of STIX whose names are those of one system or one organisation."""

_HINTS = {
    ("file", "name"): "publish the hash of the file",
    ("file", "size"): "publish the hash of the file",
    ("network-traffic", "dst_port"): "with the protocol, a JSON line of the type network-traffic can carry it",
    ("network-traffic", "src_port"): "with the protocol, a JSON line of the type network-traffic can carry it",
    ("network-traffic", "protocols"): "the addresses of the connection are read as objects of their own",
    ("software", "name"): "publish the CPE name",
    ("windows-registry-key", "values"): "the key itself is read separately",
    ("user-account", "account_type"): "it is read together with the name of the account",
    ("x509-certificate", "serial_number"): "publish the SHA-256 or SHA-1 fingerprint",
    ("x509-certificate", "issuer"): "publish the SHA-256 or SHA-1 fingerprint",
    ("x509-certificate", "subject"): "publish the SHA-256 or SHA-1 fingerprint",
}
_LOCAL_ACCOUNT = UnmappedType(
    UnpublishedCause.UNSUPPORTED_TYPE, "it is the name of an account of one system, which other systems may have too"
)
_KIND = UnmappedType(UnpublishedCause.UNSUPPORTED_TYPE, "it says only which kind of object is meant")
_HASH = UnmappedType(UnpublishedCause.UNSUPPORTED_TYPE, "no type of indicator covers a hash by this algorithm")
_OTHER = UnmappedType(UnpublishedCause.UNSUPPORTED_TYPE, "no type of indicator covers this property")
_CONTENT = UnmappedType(
    UnpublishedCause.ATTACHMENT, "it is a file; files are not published, publish the hash of the file"
)
_TEXT = UnmappedType(
    UnpublishedCause.FREE_TEXT, "it is free text; publish an observable in it separately, under its own type"
)
_ADDRESS_OF_CONTENT = UnmappedType(
    UnpublishedCause.REFERENCE,
    "it says where a copy of the file is; an address of the offence is an object of type url",
)
_UNMAPPED: Mapping[tuple[str, str], UnmappedType] = MappingProxyType(
    {
        ("artifact", "payload_bin"): _CONTENT,
        ("artifact", "url"): _ADDRESS_OF_CONTENT,
        ("email-message", "body"): _TEXT,
        **{
            (holder, name): UnmappedType(_OTHER.cause, f"no type of indicator covers STIX's {holder}:{name}; {hint}")
            for (holder, name), hint in _HINTS.items()
        },
    }
)


def find_mapping(
    object_type: str, path: tuple[str, ...], siblings: Mapping[str, str], *, follows: bool = True
) -> TypeMapping | UnmappedType:
    """Return the mapping of a property.

    Args:
        object_type: Type of the observable.
        path: Path to the property; `*` stands for an element of a list.
        siblings: The texts of properties of the same object, by name.
        follows: Whether the path may lead to other objects, as in a pattern.
    """
    types: tuple[str, ...] = (object_type,)
    steps = [index for index, name in enumerate(path) if name.endswith(("_ref", "_refs"))] if follows else []
    for index in steps:
        types = _REFERENCES.get(path[index], ()) if types else ()
    if steps:
        path = path[steps[-1] + 1 :]
        path = path[1:] if path[:1] == ("*",) else path
        if path == ("type",):
            return _KIND
    found = [_find_own_mapping(name, path, siblings) for name in types]
    mapped = [mapping for mapping in found if isinstance(mapping, TypeMapping)]
    if len(mapped) > 1:
        return TypeMapping(tuple(dict.fromkeys(name for mapping in mapped for name in mapping.indicator_types)))
    return mapped[0] if mapped else next((mapping for mapping in found if mapping is not _OTHER), _OTHER)


def _find_own_mapping(
    object_type: str, path: tuple[str, ...], siblings: Mapping[str, str]
) -> TypeMapping | UnmappedType:
    match path:
        case ("hashes", algorithm):
            name = algorithm.lower().replace("-", "").replace("_", "")
            return HASH_MAPPINGS.get((object_type, name), _HASH)
        case ("extensions", "http-request-ext", "request_header", header, *rest) if rest in ([], ["*"]):
            is_agent = object_type == "network-traffic" and header.lower() == _USER_AGENT
            return TypeMapping((_USER_AGENT,)) if is_agent else _OTHER
        case (name, *rest) if rest in ([], ["*"]):
            mapping = PROPERTY_MAPPINGS.get((object_type, name))
            if mapping is _ACCOUNT and siblings.get("account_type", "").strip().lower() in _LOCAL_ACCOUNTS:
                return _LOCAL_ACCOUNT
            return mapping or _UNMAPPED.get((object_type, name), _OTHER)
        case (name, *_):
            return _UNMAPPED.get((object_type, name), _OTHER)
    return _OTHER
