"""`sharing publish --receipt` and `--resume`: exactly once, whenever a run is killed. On a real Kafka."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sharing.cli.publish import loading
from sharing.cli.publish.loading import SendableItem
from sharing.cli.publish.receipt import Receipt
from sharing.clients.bulk_publisher import BulkPublisher
from sharing.errors import InfrastructureError
from sharing.kafka.clients import make_admin
from sharing.kafka.topic_admin import apply_topics
from sharing.serialization.codec import get_codec
from sharing.testing.broker.kafka import KafkaBroker
from sharing.topology.topics import DECISIONS, DIRECTORY, INDICATORS, list_topics
from tests.cli.conftest import Call, CommandResult
from tests.cli.test_publish import ITEM, is_accounted_for, make_items, write_lines
from tests.faults.gate_process import GateProcess
from tests.interop.stix_fixtures import make_bundle, make_indicator, make_object
from tests.kafka.topic_io import SECONDS, read_records
from tests.support.audit_entries import list_entries
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from sharing.clients.publisher_records import PreparedRecord
    from sharing.serialization.encoded_indicator import EncodedIndicator
    from sharing.testing.broker.secure_kafka import SecureKafka

pytestmark = pytest.mark.kafka

ID = "018f3c1e-7b1a-7c3d-8e2f-0123456789ab"
SECOND = "018f3c1e-7b1a-7c3d-8e2f-0123456789ac"


@dataclass(frozen=True)
class Agency:
    """An agency with a topic of its own on a real Kafka."""

    call: Call
    kafka: KafkaBroker
    name: str

    @property
    def options(self) -> tuple[str, ...]:
        return ("--state", "CH", "--agency", self.name, "--bootstrap", self.kafka.bootstrap)

    def publish(self, file: Path, *options: str | Path) -> CommandResult:
        return self.call("publish", file, *self.options, *options)

    def read_published(self) -> list[str]:
        """Return id and version of each record on the topic, in the order of the partitions."""
        records = read_records(self.kafka, INDICATORS.topic("CH", self.name), 1)
        decoded = [get_codec("indicator").decode(record.value()) for record in records]
        return [f"{record['id']}/{record['version']}" for record in decoded]


@pytest.fixture(scope="module")
def loads(kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A real Kafka with the directory of CH. `kafka` skips the tests if this machine cannot run one."""
    with KafkaBroker(tmp_path_factory.mktemp("loads")) as broker:
        broker.create_topics([DIRECTORY.topic("CH")], 1)
        yield broker


@pytest.fixture
def agency(call: Call, loads: KafkaBroker, monkeypatch: pytest.MonkeyPatch) -> Agency:
    """A new agency; its loads are sent three items at a time."""
    monkeypatch.setattr(loading, "BATCH_ITEMS", 3)
    name = f"a{uuid.uuid4().hex[:8]}"
    loads.create_topics([INDICATORS.topic("CH", name)], 1)
    return Agency(call, loads, name)


def read_receipt(path: Path, state: str = "CONFIRMED") -> list[dict[str, Any]]:
    return [line for line in map(json.loads, path.read_text().splitlines()) if line["state"] == state]


def list_keys(path: Path) -> list[str]:
    return [f"{line['id']}/{line['version']}" for line in read_receipt(path)]


def test_a_receipt_says_what_became_of_each_line(agency: Agency, empty_folder: Path) -> None:
    receipt = empty_folder / "r.jsonl"
    items = make_items(4)
    items[2]["source"] = {**ITEM["source"], "agency": "customs"}
    file = write_lines("i.jsonl", *items, "no JSON")
    result = agency.publish(file, "--receipt", receipt, "--json")
    document = result.json_document
    assert (result.code, document["published"], document["published_earlier"]) == (1, 3, 0)
    assert is_accounted_for(document)
    assert receipt.stat().st_mode & 0o777 == 0o600
    lines = read_receipt(receipt)
    assert [line["line"] for line in lines] == [1, 2, 4]
    assert all(set(line) == {"line", "file", "id", "version", "state", "reason"} for line in lines)
    assert list_keys(receipt) == agency.read_published()
    assert document["ids"] == [line["id"] for line in lines]
    refused = {line["line"]: line["reason"] for line in read_receipt(receipt, "REFUSED")}
    assert refused == {entry["place"] and int(entry["place"]): entry["reason"] for entry in document["not_published"]}
    assert set(refused) == {3, 5}
    assert len(read_receipt(receipt, "ENDED")) == 1


def test_a_file_whose_name_is_no_text_has_a_receipt(agency: Agency, empty_folder: Path) -> None:
    receipt = empty_folder / "r.jsonl"
    good, bad = make_items(1)[0], {**ITEM, "form": "LETTER"}
    name = write_lines(os.fsdecode(b"f\xff.jsonl"), good, bad)
    assert agency.publish(name, "--receipt", receipt).code == 1
    again = agency.publish(name, "--resume", receipt, "--json")
    assert (again.code, again.json_document["published_earlier"]) == (1, 1)
    assert [line["file"] for line in read_receipt(receipt, "REFUSED")] == [str(name)]


def test_the_corrected_file_sends_only_what_is_missing(agency: Agency, empty_folder: Path) -> None:
    receipt = empty_folder / "r.jsonl"
    items = make_items(5)
    file = write_lines("i.jsonl", *items[:3], {**items[3], "form": "LETTER"}, items[4])
    assert agency.publish(file, "--receipt", receipt).code == 1
    same = agency.publish(file, "--resume", receipt)
    assert (same.code, "5 read, 4 published (4 by earlier runs), 1 not published" in same.out) == (1, True)
    write_lines("i.jsonl", *items)
    corrected = agency.publish(file, "--resume", receipt, "--json").json_document
    assert (corrected["published"], corrected["published_earlier"]) == (5, 4)
    assert Counter(agency.read_published()) == dict.fromkeys(list_keys(receipt), 1)
    assert len(read_receipt(receipt, "REFUSED")) == 1


def test_a_load_of_a_stix_bundle_continues_with_its_receipt(agency: Agency, empty_folder: Path) -> None:
    receipt, file = empty_folder / "r.jsonl", empty_folder / "bundle.json"
    values = ", ".join(f"'a{number}.example.nl'" for number in range(5))
    objects = [make_indicator(f"[domain-name:value IN ({values})]"), make_object("malware")]
    file.write_text(json.dumps(make_bundle(*objects)))
    first = agency.publish(file, "--receipt", receipt, "--json")
    assert (first.code, first.json_document["published"]) == (0, 5)
    assert [line["line"] for line in read_receipt(receipt)] == [f"/objects/0/pattern#{n}" for n in range(1, 6)]
    more = [make_indicator("[domain-name:value = 'b.example.nl']", 2), *objects]  # so every place changes
    file.write_text(json.dumps(make_bundle(*more)))
    again = agency.publish(file, "--resume", receipt, "--json").json_document
    assert (again["published"], again["published_earlier"]) == (6, 5)
    assert len(agency.read_published()) == 6


def test_a_version_below_one_of_the_receipt_is_refused(agency: Agency, empty_folder: Path) -> None:
    receipt = empty_folder / "r.jsonl"
    third = {**ITEM, "id": ID, "version": 3, "action": "SUPERSEDE"}
    file = write_lines("i.jsonl", third)
    assert agency.publish(file, "--receipt", receipt).code == 0
    write_lines("i.jsonl", {**third, "version": 2, "value": "old.example.nl"}, third, {**ITEM, "id": SECOND})
    result = agency.publish(file, "--resume", receipt, "--json")
    (refused,) = result.json_document["not_published"]
    assert (result.code, refused["place"]) == (1, "1")
    assert f"version: {receipt} has version 3 of the item" in refused["reason"]
    assert agency.read_published() == [f"{ID}/3", f"{SECOND}/1"]


@pytest.mark.parametrize("written", [0, 50, 250])
def test_what_was_published_and_not_written_down_is_not_published_again(
    agency: Agency, empty_folder: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    """The run dies after the broker has committed its second batch, before or while the receipt is written."""

    def die(receipt: Receipt) -> None:
        if receipt.content.recorded == 6:
            pending = "".join(receipt._pending)
            with receipt.path.open("a") as file:
                file.write(pending[:written])
            raise SystemExit(137)
        write(receipt)

    receipt = empty_folder / "r.jsonl"
    file = write_lines("i.jsonl", *make_items(10))
    with monkeypatch.context() as patch:
        write = Receipt.write
        patch.setattr(Receipt, "write", die)
        result = agency.publish(file, "--receipt", receipt)
    assert result.code == 137
    assert f"continue with --resume {receipt}" in result.err
    assert (len(agency.read_published()), len(read_receipt_prefix(receipt))) == (6, 3 + written // 100)
    resumed = agency.publish(file, "--resume", receipt, "--json")
    assert (resumed.code, resumed.json_document["published_earlier"]) == (0, 6)
    assert list_keys(receipt) == agency.read_published()
    assert len(set(agency.read_published())) == 10


def read_receipt_prefix(path: Path) -> list[str]:
    """Return the confirmed lines that are whole."""
    return [line for line in path.read_text().split("\n")[:-1] if '"CONFIRMED"' in line]


def test_other_files_are_refused_while_it_is_unknown_what_is_published(
    agency: Agency, empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = empty_folder / "r.jsonl"
    file = write_lines("i.jsonl", *make_items(4))
    with monkeypatch.context() as patch:
        patch.setattr(Receipt, "confirm", lambda _, items: any(items) and sys.exit(137))
        assert agency.publish(file, "--receipt", receipt).code == 137
    write_lines("i.jsonl", *make_items(5))
    refused = agency.publish(file, "--resume", receipt)
    assert (refused.code, refused.out) == (2, "")
    assert "the last run was interrupted, and these are not its files" in refused.error
    write_lines("i.jsonl", *make_items(4))
    monkeypatch.setenv("SHARING_ID_SECRET_FILE", str(write_secret("other-secret")))
    refused = agency.publish(file, "--resume", receipt)
    assert (refused.code, "resume with the same files, options and id secret" in refused.error) == (2, True)
    assert len(agency.read_published()) == 3


def write_secret(name: str) -> Path:
    path = Path(name)
    path.write_text(bytes(range(100, 132)).hex())
    path.chmod(0o600)
    return path.absolute()


def test_a_broker_that_refuses_ends_the_run_with_a_report(
    agency: Agency, empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = empty_folder / "r.jsonl"
    commit = loading.BulkLoad._send_batch

    def refuse(load: loading.BulkLoad, first: SendableItem, following: Iterator[SendableItem]) -> None:
        if load._receipt.content.recorded:
            raise InfrastructureError("the broker does not commit")
        commit(load, first, following)

    monkeypatch.setattr(loading.BulkLoad, "_send_batch", refuse)
    result = agency.publish(write_lines("i.jsonl", *make_items(5)), "--receipt", receipt, "--json")
    document = result.json_document
    assert (result.code, document["published"], result.error) == (3, 3, "the broker does not commit")
    assert is_accounted_for(document)
    assert document["not_published"][0]["reason"] == (
        f"the broker did not confirm it; continue with --resume {receipt}"
    )
    assert "ended early: 3 confirmed, 2 not confirmed; continue with --resume" in result.err


def test_what_ends_the_making_of_records_leaves_nothing_of_their_batch(
    agency: Agency, empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first records of a batch are on their way while the next are made; the seal key may end meanwhile."""
    prepare = BulkPublisher.prepare_record
    prepared: list[str] = []

    def end(publisher: BulkPublisher, item: EncodedIndicator) -> PreparedRecord:
        if len(prepared) == 5:
            raise InfrastructureError("the seal key has ended")
        prepared.append(item.id)
        return prepare(publisher, item)

    receipt = empty_folder / "r.jsonl"
    file = write_lines("i.jsonl", *make_items(7))
    with monkeypatch.context() as patch:
        patch.setattr(BulkPublisher, "prepare_record", end)
        result = agency.publish(file, "--receipt", receipt, "--json")
    assert (result.code, result.json_document["published"], result.error) == (3, 3, "the seal key has ended")
    assert (len(agency.read_published()), len(read_receipt(receipt))) == (3, 3)
    resumed = agency.publish(file, "--resume", receipt, "--json")
    assert (resumed.code, resumed.json_document["published"]) == (0, 7)
    assert sorted(agency.read_published()) == sorted(list_keys(receipt))


def test_wrong_receipts_are_refused(agency: Agency, empty_folder: Path) -> None:
    receipt = empty_folder / "r.jsonl"
    file = write_lines("i.jsonl", *make_items(2))
    assert agency.publish(file, "--receipt", receipt).code == 0
    Path("other.jsonl").write_text('{"line": 1}\n')
    Path("empty.jsonl").write_text("")
    other = write_lines("o.jsonl", *make_items(1))
    cluster = json.loads(receipt.read_text().splitlines()[0])["cluster"]
    Path("elsewhere.jsonl").write_text(receipt.read_text().replace(cluster, "elsewhere"))
    cases: tuple[tuple[str, tuple[Any, ...]], ...] = (
        ("r.jsonl: already exists; continue its load with --resume", (file, "--receipt", receipt)),
        ("no/r.jsonl: the folder no does not exist", (file, "--receipt", "no/r.jsonl")),
        ("give one of them", (file, "--receipt", "n.jsonl", "--resume", receipt)),
        ("--new-ids gives different ids in each run", (file, "--resume", receipt, "--new-ids")),
        ("--dry-run publishes nothing", (file, "--receipt", "n.jsonl", "--dry-run")),
        ("nowhere.jsonl: cannot be opened", (file, "--resume", "nowhere.jsonl")),
        ("other.jsonl: line 1 is not a line of a receipt", (file, "--resume", "other.jsonl")),
        ("empty.jsonl: is not a receipt", (file, "--resume", "empty.jsonl")),
        ("is the receipt of other files: 1 items that it shows as confirmed", (other, "--resume", receipt)),
        ("belongs to a load on another cluster", (file, "--resume", "elsewhere.jsonl")),
    )
    before = receipt.read_bytes()
    for message, arguments in cases:
        result = agency.publish(*arguments)
        assert (result.code, result.out) == (2, ""), result
        assert message in result.error
    other_agency = replace(agency, name="customs").publish(file, "--resume", receipt)
    assert other_agency.code == 2
    assert "is the receipt of a load of agency" in other_agency.error
    opened = Receipt.open(receipt)
    assert "another run is writing to it" in agency.publish(file, "--resume", receipt).error
    opened.close()
    assert receipt.read_bytes() == before
    assert len(agency.read_published()) == 2
    assert not Path("n.jsonl").exists()


def test_a_topic_that_was_created_again_ends_the_load(agency: Agency, empty_folder: Path) -> None:
    """What the receipt shows as confirmed was in the old topic, and its gate may not have decided it."""
    receipt, topic = empty_folder / "r.jsonl", INDICATORS.topic("CH", agency.name)
    file = write_lines("i.jsonl", *make_items(4))
    assert agency.publish(file, "--receipt", receipt).code == 0
    admin = make_admin(agency.kafka.bootstrap)
    admin.delete_topics([topic])[topic].result()
    wait_until(lambda: topic not in admin.list_topics(timeout=SECONDS).topics, "the topic is deleted")
    agency.kafka.create_topics([topic], 1)
    before = receipt.read_bytes()
    resumed = agency.publish(file, "--resume", receipt)
    assert resumed.code == 2
    assert f"{topic} was deleted and created again since the load began" in resumed.error
    assert receipt.read_bytes() == before
    assert agency.publish(file, "--receipt", empty_folder / "n.jsonl").code == 0
    assert sorted(agency.read_published()) == sorted(list_keys(receipt))


def test_a_receipt_that_names_no_id_of_the_topic_is_continued(agency: Agency, empty_folder: Path) -> None:
    """Earlier versions wrote none."""
    receipt = empty_folder / "r.jsonl"
    file = write_lines("i.jsonl", *make_items(2))
    assert agency.publish(file, "--receipt", receipt).code == 0
    begun, *others = map(json.loads, receipt.read_text().splitlines())
    assert begun.pop("topic_id")
    receipt.write_text("".join(f"{json.dumps(line)}\n" for line in [begun, *others]))
    assert agency.publish(file, "--resume", receipt).code == 0
    assert read_receipt(receipt, "BEGUN")[-1]["topic_id"]


def test_a_line_that_is_there_twice_counts_once(agency: Agency, empty_folder: Path) -> None:
    receipt = empty_folder / "r.jsonl"
    file = write_lines("i.jsonl", *make_items(3))
    assert agency.publish(file, "--receipt", receipt).code == 0
    lines = receipt.read_text().splitlines(keepends=True)
    receipt.write_text("".join([*lines[:-1], lines[1]]))  # not ended, and the first item twice
    again = agency.publish(file, "--resume", receipt)
    assert (again.code, "3 published (3 by earlier runs)" in again.out) == (0, True), again
    assert len(agency.read_published()) == 3


def test_a_broker_that_has_forgotten_an_unfinished_load_ends_it(
    agency: Agency, empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker forgets the offsets of a group after 7 days."""
    receipt = empty_folder / "r.jsonl"
    file = write_lines("i.jsonl", *make_items(4))
    assert agency.publish(file, "--receipt", receipt).code == 0
    text = receipt.read_text()
    load = json.loads(text.splitlines()[0])["load"]
    receipt.write_text(text.replace(load, "0" * 16))
    assert agency.publish(file, "--resume", receipt).code == 0  # nothing is open: it is a new load
    assert len(agency.read_published()) == 4
    unfinished = "".join(line for line in text.splitlines(keepends=True) if '"ENDED"' not in line)
    receipt.write_text(unfinished.replace(load, "1" * 16))
    result = agency.publish(file, "--resume", receipt)
    assert (result.code, "the broker has forgotten the load" in result.error) == (3, True)


def test_an_agency_may_load_behind_access_control(
    secure_kafka: SecureKafka, call: Call, monkeypatch: pytest.MonkeyPatch, empty_folder: Path
) -> None:
    for variable, value in secure_kafka.environment("agency.ch.fedpol").items():
        monkeypatch.setenv(variable, value)
    receipt = empty_folder / "r.jsonl"
    file = write_lines("i.jsonl", *make_items(3))
    first = call("publish", file, "--state", "CH", "--agency", "fedpol", "--receipt", receipt)
    assert first.code == 0, first
    again = call("publish", file, "--state", "CH", "--agency", "fedpol", "--resume", receipt)
    assert "3 published (3 by earlier runs)" in again.out
    monkeypatch.setattr("sharing.clients.bulk_publisher.make_load_prefix", lambda *_: "national.ch.agency.customs.")
    refused = call("publish", file, "--state", "CH", "--agency", "fedpol", "--receipt", "other.jsonl")
    assert (refused.code, "the operator runs `sharing topics apply --acls`" in refused.error) == (3, True)
    assert not Path("other.jsonl").exists()


LINES = int(os.environ.get("KILLED_LOAD_LINES", "30000"))
"""How long the load is. `make killed-load` takes 200,000."""

WAIT_S = 300.0 + LINES / 100


@pytest.mark.timeout(800 + LINES / 50)
def test_a_load_that_is_killed_three_times_is_decided_exactly_once(fresh_kafka: KafkaBroker, tmp_path: Path) -> None:
    """While a gate decides on it."""
    apply_topics(fresh_kafka.bootstrap, list_topics(["CH"], 2), 1)
    receipt, file = tmp_path / "r.jsonl", write_lines("i.jsonl", *make_items(LINES)).absolute()
    command = [
        sys.executable, "-m", "sharing", "publish", str(file), "--state", "CH", "--agency", "fedpol", "--quiet",
    ]  # fmt: skip
    environment = {**os.environ, "SHARING_BOOTSTRAP": fresh_kafka.bootstrap}
    options = ["--receipt", str(receipt)]
    killed = 0
    with GateProcess(fresh_kafka.bootstrap, "CH", tmp_path) as gate:
        for lines in (1, LINES // 4, LINES // 2):  # long before it ends
            with subprocess.Popen([*command, *options], env=environment, stdout=subprocess.PIPE) as run:
                wait_until(lambda run=run, lines=lines: has_sent(run, receipt, lines), "it sends", WAIT_S)  # type: ignore[misc]
                run.kill()
            killed += run.returncode == -signal.SIGKILL
            options = ["--resume", str(receipt)]
        last = subprocess.run([*command, *options], env=environment, capture_output=True, timeout=WAIT_S, check=False)
        assert (last.returncode, killed) == (0, 3), last.stderr
        assert last.stdout.decode().startswith(f"{LINES} read, {LINES} published (")
        keys = list_keys(receipt)
        assert (len(keys), len(set(keys))) == (LINES, LINES)
        gate.wait_until(lambda: len(read_decisions(fresh_kafka)) >= LINES, WAIT_S, poll_s=0.5 + LINES / 100_000)
        assert gate.stop() == 0, gate.read_log_tail()
    decisions = read_decisions(fresh_kafka)
    assert len(decisions) == LINES
    assert Counter(f"{each['indicator_id']}/{each['version']}" for each in decisions) == Counter(keys)


def has_sent(run: subprocess.Popen[bytes], receipt: Path, lines: int) -> bool:
    """Return whether a run has confirmed more than so many lines, or has ended."""
    return count_lines(receipt) > lines or run.poll() is not None


def read_decisions(kafka: KafkaBroker) -> list[dict[str, Any]]:
    """Return all decisions of CH."""
    return list_entries(read_records(kafka, DECISIONS.topic("CH")))


def count_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0
