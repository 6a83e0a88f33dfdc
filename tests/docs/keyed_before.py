"""What the analyst's first hour takes as given: a bus on which CH and DE have keys, and their gates run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sharing.directory.announcements import encode_entry
from sharing.kafka.directory_topic import parse_entries
from sharing.kafka.directory_writer import DirectoryWriter
from sharing.kafka.topic_admin import apply_topics
from sharing.testing.demo.keys import DemoKeys, make_demo_keys
from sharing.testing.demo.officers import register_officers
from sharing.testing.demo.scenario import read_demo_cases
from sharing.testing.samples import sample_directory
from sharing.topology.topics import list_topics

if TYPE_CHECKING:
    from contextlib import ExitStack

    from sharing.testing.broker.kafka import KafkaBroker

STATES = ("CH", "DE")
READER = "DE"
IDS = {
    "server.jsonl": "018f3c1e-7b1a-7c3d-8e2f-0123456789aa", "wallet.jsonl": "018f3c1e-7b1a-7c3d-8e2f-0123456789ab",
}  # fmt: skip


def prepare_keyed_bus(kafka: KafkaBroker, folder: Path, stack: ExitStack) -> None:
    """Make topics, keys, officers and directory, start the gates, and write the analyst's files."""
    apply_topics(kafka.bootstrap, list_topics(STATES, 1), 1)
    keys = make_demo_keys(STATES, folder / "states")
    for entry in parse_entries(*sample_directory()):
        if entry.state in STATES:
            own = keys.states[entry.state]
            register_officers(kafka.bootstrap, own, (f"{entry.state.lower()}-17",), {})
            DirectoryWriter(kafka.bootstrap, own.online, {}).announce(encode_entry(entry))
    for state in STATES:
        stack.callback(_start_gate(kafka.bootstrap, state, keys, folder).kill)
    own = keys.states[READER]
    shutil.copy(own.reader_file, folder / "reader.key")
    shutil.copy(own.reader_passphrase_file, folder / "reader.pass")
    shutil.copy(keys.trust_file, folder / "trust.yaml")
    _write_items(folder)


def _start_gate(bootstrap: str, state: str, keys: DemoKeys, folder: Path) -> subprocess.Popen[bytes]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SHARING_")}
    environment = {"SHARING_STATE": state, "SHARING_BOOTSTRAP": bootstrap, **keys.environment(state)}
    with (folder / "gate.log").open("ab") as log:
        return subprocess.Popen([sys.executable, "-m", "processors"], env={**inherited, **environment}, stderr=log)


def _write_items(folder: Path) -> None:
    """Write a server that DE gets at once, and a wallet that it is offered."""
    cases = {"server.jsonl": "command-and-control", "wallet.jsonl": "wallet"}
    for name, part_of_title in cases.items():
        item = next(case.indicator for case in read_demo_cases() if part_of_title in case.title)
        document = {**json.loads(item.to_json()), "id": IDS[name], "version": 1}
        for name_of_next in ("action", "reason"):  # the page writes the next versions
            document.pop(name_of_next, None)
        (folder / name).write_text(json.dumps(document) + "\n")
