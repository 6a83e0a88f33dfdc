"""The structure of a STIX file: its objects, wherever they are, and what contains them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from sharing.errors import InputError
from sharing.interop.markings import simplify
from sharing.model.indicator_record import is_uuid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VERSIONS = ("2.0", "2.1")
"""The versions of STIX that are read."""

_TYPE = re.compile(r"[a-z][a-z0-9-]{0,249}")
_DEPTH_MAX = 4  # containers around an object: list, bundle, bundle in it
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_./~ :-]{1,80}")


class StixObject(NamedTuple):
    """An object of a bundle.

    Attributes:
        pointer: JSON pointer (RFC 6901).
        data: Its content.
        type: Its type.
        bundles: The bundles that contain it.
    """

    pointer: str
    data: Mapping[str, Any]
    type: str
    bundles: tuple[Mapping[str, Any], ...] = ()

    @property
    def key(self) -> str:
        """Its id in lower case, by which other objects refer to it; "" if it has none."""
        return to_key(self.data.get("id"))


def is_stix(value: Any) -> bool:
    """Return whether a JSON value is a STIX object, a bundle, a list of them, or what a TAXII server answers."""
    if isinstance(value, list):
        return any(is_stix_object(item) for item in value)
    if not isinstance(value, dict):
        return False
    objects = value.get("objects")
    return is_stix_object(value) or (isinstance(objects, list) and any(is_stix_object(item) for item in objects))


def is_stix_object(value: Any) -> bool:
    """Return whether a JSON value is a bundle or a STIX object: it says so, or has an id that begins with its type."""
    if not isinstance(value, dict):
        return False
    identity, type_name = value.get("id"), value.get("type")
    has_id = isinstance(identity, str) and isinstance(type_name, str) and identity.startswith(f"{type_name}--")
    return has_id or "spec_version" in value


def find_objects(document: Any, file: str) -> tuple[list[StixObject], list[str]]:
    """Return the objects of a parsed file, and the pointers of other values found among them.

    Args:
        document: A bundle, an object with `objects` as a TAXII server sends it, or a list of bundles and objects.
        file: Name of the file, for errors.

    Raises:
        InputError: The file contains no object, or is of a version of STIX that is not read.
    """
    if isinstance(document, dict) and not _is_bundle(document):
        raise InputError(
            f'{file}: is one STIX object without a bundle; write a list around it, as in `jq "[.]" FILE`, or export a '
            "bundle"
        )
    found = _FoundObjects(file)
    found.collect(document, "", ())
    if not found.objects:
        raise InputError(f"{file}: contains no STIX object; export the bundle with its objects")
    return found.objects, found.others


def _is_bundle(value: Mapping[str, Any]) -> bool:
    return value.get("type") == "bundle" or ("type" not in value and "objects" in value)


class _FoundObjects:
    """The objects of a file, and the pointers of other values found among them."""

    def __init__(self, file: str) -> None:
        self.objects: list[StixObject] = []
        self.others: list[str] = []
        self._file = file

    def collect(self, value: Any, pointer: str, bundles: tuple[Mapping[str, Any], ...]) -> None:
        """Add what is in a list, or in a bundle, which is in these bundles."""
        if isinstance(value, list) and not bundles:
            for index, item in enumerate(value):
                self._collect_member(item, f"{pointer}/{index}", bundles)
        elif not isinstance(value, dict):
            self.others.append(pointer)
        else:
            self._collect_bundle(value, pointer, (*bundles, value))

    def _collect_bundle(self, bundle: Mapping[str, Any], pointer: str, bundles: tuple[Mapping[str, Any], ...]) -> None:
        if bundle.get("spec_version", VERSIONS[0]) not in VERSIONS:
            raise InputError(
                f"{self._file}: is a STIX bundle of another version than {' and '.join(VERSIONS)}; export it as "
                "STIX 2.1"
            )
        members = bundle.get("objects", [])
        if not isinstance(members, list):
            self.others.append(f"{pointer}/objects")
            return
        for index, item in enumerate(members):
            self._collect_member(item, f"{pointer}/objects/{index}", bundles)

    def _collect_member(self, value: Any, pointer: str, bundles: tuple[Mapping[str, Any], ...]) -> None:
        if isinstance(value, dict) and _is_bundle(value) and len(bundles) < _DEPTH_MAX:
            self.collect(value, pointer, bundles)
        elif isinstance(value, dict) and isinstance(value.get("type"), str) and not _is_bundle(value):
            self.objects.append(StixObject(pointer, value, value["type"], bundles))
        else:
            self.others.append(pointer)


def to_key(identity: Any) -> str:
    """Return an id in the form in which ids are compared; "" if it is not text."""
    return simplify(identity) if isinstance(identity, str) else ""


def is_id(key: str) -> bool:
    """Return whether a key is the id of an object: a type, two hyphens and a UUID that is not all zeros."""
    type_name, _, uuid = key.rpartition("--")
    return _TYPE.fullmatch(type_name) is not None and is_uuid(uuid)


def iterate_keys(holder: Mapping[str, Any], pointer: str) -> Iterator[tuple[str, str, Any]]:
    """Yield name, pointer and value of each member of a JSON object. A name that is not plain text is its number."""
    for index, (name, value) in enumerate(holder.items()):
        token = name.replace("~", "~0").replace("/", "~1")
        yield name, f"{pointer}/{token}" if _PLAIN_KEY.fullmatch(token) else f"{pointer}#{index}", value
