"""Everything that is checked before anything is sent: the files, and what the cluster says of the agency's items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sharing.cli.publish.first_pass import CheckedInput, check_files
from sharing.cli.publish.own_versions import read_own_versions
from sharing.cli.publish.sending import find_own_agency
from sharing.errors import InfrastructureError

if TYPE_CHECKING:
    from pathlib import Path

    from sharing.interop.import_context import ImportContext
    from sharing.settings import Settings


def check_everything(
    files: Sequence[Path],
    context: ImportContext,
    settings: Settings,
    servers: str | None,
    tls: Mapping[str, str],
    *,
    keep_going: bool,
    dry_run: bool,
) -> CheckedInput:
    """Return what was found in the files.

    Args:
        files: The files.
        context: How they are imported.
        settings: The settings.
        servers: Kafka bootstrap servers; None if there are none.
        tls: Further librdkafka properties.
        keep_going: Whether to continue after a file that cannot be read.
        dry_run: Whether nothing will be published. Then it does not matter whether there is a topic.

    Raises:
        InputError: Some files cannot be read, and `keep_going` is false.
        InfrastructureError: No broker answers, the State's topic does not exist, or the items cannot be buffered.
    """
    if servers is None:
        return check_files(files, context, keep_going=keep_going)
    failure = None
    try:
        context = replace(context, own_agency=find_own_agency(context.publisher, servers, tls))
    except InfrastructureError as error:
        failure = error
    checked = check_files(files, context, keep_going=keep_going)
    if failure is None:
        checked.own_versions = read_own_versions(settings, context.publisher, servers, tls)
    elif not dry_run:  # what is wrong with the files is said first
        raise failure
    return checked
