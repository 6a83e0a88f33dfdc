"""The report of `sharing publish`: what was read, published and not published, and who is expected to receive it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from sharing.cli.publish.reason_rows import list_reason_rows
from sharing.cli.shared.console import add_row, err, make_table, out, print_json_stream, print_line, unwrapped_column
from sharing.errors import InfrastructureError
from sharing.model.code_words import describe_outcome
from sharing.model.recipient_terms import MISSING
from sharing.model.vocabulary import Outcome

if TYPE_CHECKING:
    from sharing.cli.publish.dry_run import DryRunResult
    from sharing.cli.publish.first_pass import CheckedInput
    from sharing.cli.publish.item_spool import SpooledItem
    from sharing.cli.publish.publishing import ItemFates, PublishingRun
    from sharing.cli.publish.unpublished_list import UnpublishedList

_NOTHING: Final = "0 confirmed; this run has published nothing"


def print_document(
    checked: CheckedInput,
    expected: DryRunResult,
    fates: ItemFates,
    outcomes: Mapping[str, Any] | None,
    *,
    dry_run: bool,
) -> None:
    """Print the JSON form of the report: `read` is `published` and the length of `not_published` together.

    It is printed item by item: of a long file it is long too.

    Args:
        checked: What was found in the files.
        expected: What is predicted.
        fates: What became of the items.
        outcomes: What the gate has said of them; None if nobody has waited for that.
        dry_run: Whether nothing was published.
    """
    run = fates.run
    refused = (
        {"file": entry.file, "place": entry.position, "reason": entry.reason}
        for entry in chain(checked.unpublished, run.refused)
    )
    unconfirmed = (
        {"file": spooled.file, "place": spooled.place, "reason": _make_unconfirmed_reason(run, spooled)}
        for spooled in fates.iterate_unconfirmed()
    )
    print_json_stream(
        {
            "files": checked.files,
            "read": checked.total,
            "published": run.published,
            **({"published_earlier": run.earlier} if run.receipt else {}),
            "ids": [] if dry_run else fates.iterate_ids(),
            "not_published": chain(refused, unconfirmed),
            "recipients": {
                state: dict(sorted(counts.items())) if dry_run else counts.total() - counts[Outcome.WITHHOLD]
                for state, counts in sorted(expected.recipients.items())
            },
            **({} if outcomes is None else {"outcomes": outcomes}),
        }
    )


def print_summary(
    checked: CheckedInput, expected: DryRunResult, run: PublishingRun, *, dry_run: bool, quiet: bool
) -> None:  # fmt: skip
    """Print how many values were read, published and not published, and unless `quiet` what and who."""
    verb = "would be published" if dry_run else "published"
    earlier = f" ({run.earlier} by earlier runs)" if run.earlier else ""
    missing = checked.total - run.published
    print_line(f"{checked.total} read, {run.published} {verb}{earlier}, {missing} not published")
    if not quiet:
        _print_details(checked, expected, run)


def _make_unconfirmed_reason(run: PublishingRun, spooled: SpooledItem) -> str:
    if run.receipt:
        return f"the broker did not confirm it; continue with --resume {run.receipt}"
    return f"the broker did not confirm it; publish it again with the id {spooled.item.id}"


def _print_details(checked: CheckedInput, expected: DryRunResult, run: PublishingRun) -> None:
    """Print what is not published, by cause, and who is expected to receive what is."""
    if checked.unpublished or run.refused:
        _print_not_published(checked.unpublished, run.refused)
    table = make_table(unwrapped_column("State"), "outcome", unwrapped_column("items"), "by which law, or why not")
    for row in list_reason_rows(expected.reasons.items()):
        add_row(table, row.state, describe_outcome(row.outcome), row.items, row.why)
    if expected.reasons:
        out.print()
        out.print(table)
    elif run.published:
        print_line("No State would receive them: they point to no State and match no declared interest.")
    if any(why.startswith(MISSING) for _, _, why in expected.reasons):
        err.print(
            "Not every missing fact matters: `sharing law questions` asks only for those that can change an outcome."
        )
    err.print("This is a prediction with the law pack installed here. The gate's decision is what counts.")


def warn_of_unanswered_emergencies(places: Sequence[str], count: int) -> None:
    """Say which items state an emergency for which nobody answers: they are decided as ordinary.

    Args:
        places: Where the first of them are.
        count: How many there are.
    """
    if places:
        hidden = count - len(places)
        more = f" and {hidden} more" if hidden > 0 else ""
        err.print(
            f"warning: decided as ORDINARY, because an EMERGENCY needs source.officer and urgency_reason: "
            f"{', '.join(places)}{more}"
        )


@contextmanager
def say_that_nothing_is_published() -> Iterator[None]:
    """Say so if a signal, the broker or a full disk ends the block, in which nothing is published yet."""
    try:
        yield
    except InfrastructureError as error:
        error.add_note(_NOTHING)
        raise
    except (KeyboardInterrupt, SystemExit):
        err.print(f"interrupted: {_NOTHING}")
        raise


def print_remedy(run: PublishingRun) -> None:
    """Say how to continue a run that ended early."""
    how = "interrupted" if run.interruption is not None else "ended early"
    counts = f"{how}: {run.published} confirmed, {run.unconfirmed} not confirmed"
    if run.receipt:
        err.print(f"{counts}; continue with --resume {run.receipt} instead of --receipt: nothing is published twice")
        return
    err.print(f"{counts}; publish the same files again: the items keep their ids, so no State receives one twice")


def _print_not_published(unpublished: UnpublishedList, refused: UnpublishedList) -> None:
    table = make_table(unwrapped_column("not published"), unwrapped_column("count"), "for example")
    examples = refused.examples | unpublished.examples
    for cause, count in (unpublished.counts + refused.counts).most_common():
        first = examples[cause]
        add_row(table, cause, count, f"{first.file} {first.position}: {first.reason}")
    out.print()
    out.print(table)
    err.print("Use --json to list every entry with its position.")
