"""Standing acceptances at the command line: an officer signs one, and an announcement states only what is upheld."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import err, print_json
from sharing.cli.shared.console_connection import StateOption, connect_console
from sharing.cli.shared.instants import parse_instant, read_clock
from sharing.cli.shared.officer_desk import KeyOption, OfficerOption, OfficerPassphrase, open_officer_desk
from sharing.cli.shared.states import read_state
from sharing.console.printable import to_printable
from sharing.errors import InputError
from sharing.kafka.officer_topic import read_register
from sharing.keystore.online_keys import OnlineKeys
from sharing.model.directory import DirectoryEntry
from sharing.model.recipient_terms import Condition
from sharing.model.standing_acceptance import hash_condition_text
from sharing.model.validation_errors import suggest_nearest
from sharing.model.vocabulary import OffenceCode, Urgency
from sharing.officers.standing_acceptance import AcceptanceContent, drop_refused, sign_acceptance
from sharing.packs.library import find_law
from sharing.serialization.framing import Framing
from sharing.settings import Settings
from sharing.trust.documents import make_content


def accept_conditions(
    from_state: Annotated[str, typer.Option("--from", metavar="STATE", help="The State that provides the items.")],
    condition: Annotated[
        list[str], typer.Option("--condition", metavar="CODE", help="A condition of its law; can be repeated.")
    ],
    offence: Annotated[
        list[OffenceCode], typer.Option("--offence", metavar="CODE", help="An offence of the items; can be repeated.")
    ],
    urgency: Annotated[
        list[Urgency], typer.Option("--urgency", metavar="LEVEL", help="An urgency of the items; can be repeated.")
    ],
    until: Annotated[
        str, typer.Option("--until", metavar="TIME", help="End of validity, such as 2026-12-31T00:00:00Z.")
    ],
    officer: OfficerOption,
    key: KeyOption,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Start of validity. Default: now.")
    ] = None,
    packs: Annotated[
        Path | None, typer.Option("--packs", metavar="FOLDER", help="Folder with the law of that State.")
    ] = None,
    passphrase_file: OfficerPassphrase = None,
    state: StateOption = None,
    bootstrap: Bootstrap = None,
) -> None:
    """Accept conditions of another State before it offers anything. Print what the directory entry must then contain.

    The officer signs the codes and the exact texts, which are shown. Put the printed JSON into the list
    `standing_acceptances` of the State's entry, and announce it: what is offered under these conditions alone is then
    sent at once. Announce the entry without it to revoke it.
    """
    console = connect_console(bootstrap, state)
    provider = read_state("--from", from_state)
    texts = _find_conditions(provider, condition, packs or console.settings.packs)
    valid_until = parse_instant(until, "--until")
    valid_from = read_clock() if since is None else parse_instant(since, "--since")
    err.print(f"conditions of {provider} that are accepted:")
    for each in texts:
        err.print(f"  {each.code}: {to_printable(each.text)}")
    desk = open_officer_desk(console, officer, key, passphrase_file)
    content = make_content(
        AcceptanceContent,
        {
            "state": console.state,
            "from_state": provider,
            "conditions": tuple({"code": each.code, "text_hash": hash_condition_text(each.text)} for each in texts),
            "offences": tuple(sorted(set(offence))),
            "urgency": tuple(sorted(set(urgency))),
            "valid_from": valid_from,
            "valid_until": valid_until,
            "officer": desk.id,
            "signed_at": read_clock(),
        },
    )
    signed = sign_acceptance(content, desk.key)
    print_json(signed.model_dump(mode="json"))


def require_upheld(
    settings: Settings,
    servers: str,
    properties: Mapping[str, str],
    framing: Framing,
    entries: list[DirectoryEntry],
) -> None:
    """Check that officers in force have signed the standing acceptances of entries, before any is announced.

    Raises:
        InputError: One is not upheld, or there are no keys, so that nothing that the entry says of it is accepted.
        InfrastructureError: The register cannot be read.
    """
    accepting = [entry for entry in entries if entry.standing_acceptances]
    if not accepting:
        return
    if settings.key_folder is None:
        raise InputError(
            f"the entry of {accepting[0].state} has standing acceptances, and cannot be signed without "
            "SHARING_KEY_FOLDER: other States accept them only in a signed entry"
        )
    now = read_clock()
    keys = OnlineKeys.open(settings.key_folder).get_trusted_keys(now)
    register = read_register(servers, keys, properties, framing, clock=read_clock)
    for entry in accepting:
        _, refusals = drop_refused(entry, register.find_officer, now)
        if refusals:
            raise InputError(f"nothing was announced: {refusals[0]}")


def _find_conditions(provider: str, codes: list[str], packs: Path | None) -> list[Condition]:
    """Return the conditions of a State's law with these codes, by code.

    Raises:
        SharingError: There is no law of that State, or a condition is not in it.
    """
    pack = find_law(provider, packs).pack
    known = {rule.condition.code: rule.condition for rule in pack.rules if rule.condition is not None}
    unknown = next((code for code in codes if code not in known), None)
    if unknown is not None:
        raise InputError(
            f"--condition: the law of {provider} has no condition {to_printable(unknown)}"
            f"{suggest_nearest(unknown, known)}; an offer and `sharing law explain` name its conditions"
        )
    return [known[code] for code in sorted(set(codes))]
