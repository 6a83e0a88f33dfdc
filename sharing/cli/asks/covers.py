"""`sharing asks covers` and `sharing asks end-cover`: answers that are also given to later questions."""

from __future__ import annotations

from typing import Annotated

import typer

from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, err, print_json, print_labelled, print_line
from sharing.cli.shared.console_connection import StateOption, connect_console
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.officer_desk import KeyOption, OfficerOption, OfficerPassphrase, open_officer_desk
from sharing.cli.shared.ruling_desk import WAIT_SECONDS, WaitOption, report_outcome, submit_ruling
from sharing.cli.shared.unreadable import exit_if_unreadable, print_unreadable
from sharing.console.conversation_words import describe_kind, describe_time_left, join_codes
from sharing.console.found_covers import FoundCover, choose_cover, read_covers
from sharing.console.ruling_bus import open_ruling_bus
from sharing.console.ruling_submission import list_every_partition
from sharing.kafka.unreadable_records import Unreadable
from sharing.model.times import format_time
from sharing.rulings.cover_ending import EndingCover


def list_covering(state: StateOption = None, bootstrap: Bootstrap = None, as_json: AsJson = False) -> None:
    """List the answers that are also given to similar later questions: by whom, until when, to which questions.

    Exit code 1: an entry could not be read; what the others say is listed.
    """
    console = connect_console(bootstrap, state)
    now = read_clock()
    unreadable: Unreadable = []
    covers = read_covers(console, now, unreadable)
    for cover in covers:
        if as_json:
            print_json(cover.to_json())
        else:
            _print_cover(cover, now)
    if not (covers or as_json or unreadable):
        err.print(
            f"{console.state}: each question is answered separately; with --later-until, `asks answer` also answers "
            "later ones"
        )
    exit_if_unreadable(unreadable, "answers may be missing; ask the operators to restore the topic (docs/maintain.md)")


def end_covering(
    cover: Annotated[
        str, typer.Argument(metavar="COVER", help="Which answer: the beginning of its id, as `asks covers` lists it.")
    ],
    officer: OfficerOption,
    key: KeyOption,
    passphrase_file: OfficerPassphrase = None,
    wait: WaitOption = WAIT_SECONDS,
    state: StateOption = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """End an answer for later questions. Questions that it has answered stay answered."""
    console = connect_console(bootstrap, state)
    unreadable: Unreadable = []
    covers = read_covers(console, read_clock(), unreadable)
    print_unreadable(unreadable)  # the one that is to end may be readable all the same
    chosen = choose_cover(covers, cover)
    desk = open_officer_desk(console, officer, key, passphrase_file)
    item = chosen.terms.item
    act = EndingCover(cover=chosen.digest, provider=chosen.provider, item=item)
    partitions = list_every_partition(open_ruling_bus(console), item)
    report_outcome(submit_ruling(console, desk, act, partitions, "", wait), as_json=as_json)


def _print_cover(cover: FoundCover, now: int) -> None:
    terms = cover.terms
    print_line(f"{terms.answer}: {describe_kind(terms.kind)}", style="bold")
    print_labelled("cover", cover.digest)
    print_labelled("items", f"of {cover.provider}, for {join_codes(terms.recipients)}")
    print_labelled("until", f"{format_time(cover.until)} ({describe_time_left(cover.until, now)})")
    print_labelled("officer", cover.officer)
    print_labelled("law", terms.rule or "no rule requires it")
    print_labelled(
        "hash", f"{terms.conditions_hash} of the conditions" if terms.conditions_hash else "without conditions"
    )
    if terms.grounds:
        print_labelled("grounds", join_codes(terms.grounds))
    print_labelled("kept on", f"partitions {', '.join(map(str, cover.partitions))}")
