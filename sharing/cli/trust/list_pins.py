"""`sharing trust list`: the pinned roots."""

from __future__ import annotations

from sharing.cli.shared.console import AsJson, err, print_json, print_line
from sharing.cli.trust.options import TrustFile, locate_trust_file
from sharing.keystore.pin_file import read_pins
from sharing.model.times import format_time
from sharing.trust.root import format_fingerprint


def list_pins(file: TrustFile = None, as_json: AsJson = False) -> None:
    """List the pinned roots, with their fingerprints in groups of four digits, as they are on paper."""
    path = locate_trust_file(file)
    pins = read_pins(path)
    rows = [
        {
            "state": pinned.state,
            "version": pinned.version,
            "fingerprint": format_fingerprint(pinned.to_pin().fingerprint),
            "added_at": format_time(pinned.added_at),
        }
        for pinned in pins.values()
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:  # not a table: in a narrow terminal, that would cut off digits, and the State
        print_line(f"{row['state']}: version {row['version']} of the root, pinned {row['added_at']}")
        print_line(f"fingerprint  {row['fingerprint']}")
    if not rows:
        err.print(f"{path} pins no root: nothing that another State signs is accepted")
