"""What opens a decision's commitment to its content: options of `prove` and `check-proof`, and its words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from sharing.cli.audit.use_recording import open_use_log
from sharing.cli.shared.given_files import read_given_file
from sharing.cli.shared.instants import read_clock
from sharing.console.audit_logs import make_audit_source
from sharing.console.connection import ConsoleConnection
from sharing.errors import InputError, SettingsError
from sharing.interop.content_opening import Opening, encode_content
from sharing.interop.entry_search import FoundEntry
from sharing.interop.opening_search import OpeningSearch
from sharing.keystore.configured_keys import open_configured_keys
from sharing.model.indicator import Indicator

WithContent = Annotated[
    bool, typer.Option("--with-content", help="Of a decision: also show which content it was about.")
]
WithSalt = Annotated[
    bool, typer.Option("--with-salt", help="The same, but the content is not in the file: pass it on separately.")
]
ContentFile = Annotated[
    Path | None,
    typer.Option(
        "--content", metavar="FILE", help="The item as it was published, in JSON, if the State has no copy of it."
    ),
]
ComparedContent = Annotated[
    Path | None,
    typer.Option("--content", metavar="FILE", help="The item, in JSON, to compare with the decision."),
]

_BYTES_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Shown:
    """What a proof shows of the item that a decision was about.

    Attributes:
        is_opened: Whether it shows which content that was.
        in_file: Whether the content is in the file; otherwise only the salt.
        content: The content, in single-object encoding; None to take the State's own copy.
    """

    is_opened: bool = False
    in_file: bool = False
    content: bytes | None = field(default=None, repr=False)

    @classmethod
    def choose(cls, content: Path | None, *, with_content: bool, with_salt: bool, is_decision: bool) -> Shown:
        """Return what the options name.

        Raises:
            InputError: They do not go together, or the file is not an item.
        """
        if with_content and with_salt:
            raise InputError("give --with-content or --with-salt, not both: the first includes the salt")
        is_opened = with_content or with_salt
        if content is not None and not is_opened:
            raise InputError("--content needs --with-content or --with-salt")
        if is_opened and not is_decision:
            raise InputError("only a decision is bound to a content: leave out --of, --with-content and --with-salt")
        return cls(is_opened, with_content, read_content(content))


def read_content(file: Path | None) -> bytes | None:
    """Return the content of a file in single-object encoding; None without a file.

    Raises:
        InputError: It cannot be read, or is not an item.
    """
    if file is None:
        return None
    data = read_given_file(file, _BYTES_MAX)
    try:
        return encode_content(data)
    except InputError as error:
        error.args = (f"{file}: {error}",)
        raise


def find_opening(console: ConsoleConnection, found: FoundEntry, item: str, shown: Shown) -> Opening:
    """Return what opens the commitment of a decision, and record it if a copy of the State was opened for that.

    Args:
        console: The connection.
        found: The decision.
        item: Id of the indicator that it is about.
        shown: What is to be shown.

    Raises:
        SettingsError: The State's keys are not configured.
        InputError: Nothing opens it.
        InfrastructureError: A topic cannot be read, or it cannot be recorded, so nothing may be shown.
    """
    settings = console.settings
    keys = open_configured_keys(settings)
    if keys is None:
        raise SettingsError(
            "SHARING_KEY_FOLDER is not set: a content is opened on the State's own machine, with its keys"
        )
    search = OpeningSearch(
        make_audit_source(console), console.state, lambda key_id: keys.find_wrapping_key(key_id, read_clock())
    )
    opening, draft = search.find(found, item, shown.content)
    if draft and settings.record_uses:
        uses = open_use_log(console, "audit prove")
        own = draft.partition("/")[0]
        uses.note(own, own, console.state, "DRAFT")
        uses.flush()
    return opening if shown.in_file else replace(opening, content=None)


def describe_content(fields: Mapping[str, Any] | None) -> Any:
    """Return a content in the JSON form in which it was published; None if there is none."""
    if fields is None:
        return None
    try:
        return Indicator.parse(dict(fields)).model_dump(mode="json")
    except InputError:  # of another release
        return dict(fields)
