"""The pinned roots of other States, in one YAML file that people can read, compare with paper and review."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from sharing.errors import InputError, SettingsError, SharingError
from sharing.keystore.files import PUBLIC_MODE, lock_folder, replace_file
from sharing.model.strict_model import StrictModel
from sharing.text_file import read_text_file
from sharing.trust.documents import Instant, StateCode
from sharing.trust.faults import TrustError
from sharing.trust.root import Pin, format_fingerprint, normalise_fingerprint
from sharing.yaml_files.dump import to_yaml
from sharing.yaml_files.source import YamlDocument, read_yaml, validate_document

_HEADING = """\
# Roots of other States. Each fingerprint was compared with paper, or by telephone, before it was entered here:
# Anyone who can change this file decides whose notices are trusted. `sharing trust add` changes it.
"""
_WIDTH = 120


class PinnedRoot(StrictModel):
    """One line of the file.

    Attributes:
        state: The State.
        version: Version of its root.
        fingerprint: Its fingerprint, in groups of four digits.
        added_at: When it was pinned.
    """

    state: StateCode
    version: Annotated[int, Field(ge=1, le=1_000_000)]
    fingerprint: str
    added_at: Instant

    def to_pin(self) -> Pin:
        """Return the pin."""
        return Pin(self.state, self.version, normalise_fingerprint(self.fingerprint))


class _Content(StrictModel):
    format: Literal[1]
    roots: list[PinnedRoot]


def require_trust_file(path: Path) -> None:
    """Check that the trust file of the settings exists. Commands that write it skip this check.

    Raises:
        SettingsError: It does not.
    """
    if not path.exists() and not path.is_symlink():
        raise SettingsError(
            f"the trust file {path} does not exist, so no State is trusted: correct its path (SHARING_TRUST_FILE), or "
            "pin the root of a State with `sharing trust add`"
        )


def read_pins(path: Path) -> dict[str, PinnedRoot]:
    """Return the pinned roots by State. A file that does not exist has none.

    Raises:
        InputError: The file is not a file of pinned roots; the message has the line and the problem. Or it is a
            dangling link: then the pins may exist but be out of reach.
    """
    if not path.exists():
        if path.is_symlink():
            raise InputError(f"{path} is a link to a file that is not there")
        return {}
    if not path.is_file():
        raise InputError(f"{path} is not a file; give the YAML file of pinned roots")
    document = read_yaml(read_text_file(path), path.name)
    content = validate_document(document, _Content)
    pins: dict[str, PinnedRoot] = {}
    for index, pinned in enumerate(content.roots):
        if pinned.state in pins:
            raise document.error(f"{pinned.state} is listed twice; keep one", ("roots", index, "state"))
        _check_fingerprint(document, pinned, index)
        pins[pinned.state] = pinned
    return pins


def write_pins(path: Path, pins: dict[str, PinnedRoot]) -> None:
    """Write the pinned roots, in the order of the States. A link stays: the file that it points to is replaced.

    Raises:
        InfrastructureError: The file cannot be written.
    """
    rows = [pins[state].model_dump(mode="json") for state in sorted(pins)]
    text = _HEADING + to_yaml({"format": 1, "roots": rows}, width=_WIDTH)
    replace_file(path.resolve(), text.encode(), PUBLIC_MODE)


def replace_pin(path: Path, before: PinnedRoot | None, pinned: PinnedRoot) -> None:
    """Pin a root. Pins of other States that another process enters at the same time are kept.

    Args:
        path: The file.
        before: What was pinned for this State when the decision to pin this root was made.
        pinned: What to pin.

    Raises:
        InputError: Something else has been pinned for this State in the meantime; the file cannot be read; or its
            folder is missing.
        InfrastructureError: The file cannot be written.
    """
    _change_pin(path, pinned.state, before, pinned)


def remove_pin(path: Path, pinned: PinnedRoot) -> None:
    """Unpin the root of a State. Pins of other States that another process enters at the same time are kept.

    Args:
        path: The file.
        pinned: What was pinned when the decision to unpin it was made.

    Raises:
        InputError: Something else has been pinned for this State in the meantime; the file cannot be read; or its
            folder is missing.
        InfrastructureError: The file cannot be written.
    """
    _change_pin(path, pinned.state, pinned, None)


def _change_pin(path: Path, state: str, before: PinnedRoot | None, after: PinnedRoot | None) -> None:
    folder = path.resolve().parent
    if not folder.is_dir():
        raise InputError(f"{path}: the folder {folder} does not exist; create it, or correct the name")
    with lock_folder(folder):
        pins = dict(read_pins(path))
        if pins.pop(state, None) != before:
            raise InputError(f"{path}: the pin of {state} was changed at the same time; run this again")
        write_pins(path, pins if after is None else {**pins, state: after})


def make_pinned_root(pin: Pin, now: int) -> PinnedRoot:
    """Return the line of the file for a pin."""
    return PinnedRoot(
        state=pin.state, version=pin.version, fingerprint=format_fingerprint(pin.fingerprint), added_at=now
    )


def _check_fingerprint(document: YamlDocument, pinned: PinnedRoot, index: int) -> None:
    try:
        pinned.to_pin()
    except TrustError as error:
        wrong: SharingError = document.error(str(error), ("roots", index, "fingerprint"))
        raise wrong from None
