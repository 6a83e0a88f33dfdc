"""What is committed is what the generator makes, and it is made from the one table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from sharing.tools.manifests import render
from sharing.tools.manifests.__main__ import main
from sharing.topology.acls import principals
from sharing.topology.partners import Partner, Partners
from sharing.topology.strimzi import kafka_topics, kafka_users
from tests.deploy.deploy_files import COMPOSE, DEPLOY, KUBERNETES, SYSTEMD, composition, of_kind, partners

MADE = render(partners())
BY_HAND = {
    "Containerfile", "Containerfile.dockerignore", "certificates.py", "exporter.py", "partners.yaml",
    "compose/.gitignore", "systemd/sharing-gate@.service", "systemd/sharing-subscriber@.service",
}  # fmt: skip


def committed() -> set[str]:
    files = (path for path in DEPLOY.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    made_there = {COMPOSE / "secrets", COMPOSE / "fetched"}
    return {path.relative_to(DEPLOY).as_posix() for path in files if made_there.isdisjoint(path.parents)}


@pytest.mark.parametrize("path", sorted(MADE))
def test_what_is_committed_is_what_the_generator_makes(path: str) -> None:
    assert (DEPLOY / path).read_text(encoding="utf-8") == MADE[path], "run `make deploy` and commit"


def test_every_file_is_made_or_known_to_be_by_hand() -> None:
    assert committed() == set(MADE) | BY_HAND


def test_a_second_run_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(DEPLOY / "partners.yaml"), str(tmp_path)]
    assert main(arguments) == 0
    assert main(arguments) == 0
    assert f"0 of {len(MADE)} files changed" in capsys.readouterr().out


def test_files_of_a_state_that_left_are_named_and_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(DEPLOY / "partners.yaml"), str(tmp_path)]) == 0
    fewer = tmp_path / "fewer.yaml"
    fewer.write_text("states: {CH: {}}\n")
    assert main([str(fewer), str(tmp_path)]) == 0
    assert str(tmp_path / "kubernetes/de/gate.yaml") in capsys.readouterr().out
    assert (tmp_path / "kubernetes/de/gate.yaml").is_file()


@pytest.mark.parametrize(
    ("text", "said"),
    [("states: {CH: {agency: []}}\n", "agency"), (None, "No such file"), ("partitions: 4\n", "states")],
)
def test_an_unsound_partners_file_makes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, said: str
) -> None:
    source = tmp_path / "partners.yaml"
    if text is not None:
        source.write_text(text)
    assert main([str(source), str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_topics_and_users_are_those_of_the_table() -> None:
    assert of_kind("KafkaTopic") == list(kafka_topics(partners(), "sharing"))
    assert of_kind("KafkaUser") == list(kafka_users(partners(), "sharing"))


def test_the_trial_has_the_same_states_on_one_broker() -> None:
    trial = yaml.safe_load((COMPOSE / "partners.yaml").read_text(encoding="utf-8"))
    assert Partners(**trial) == partners().model_copy(update={"replication": 1})


def test_everyone_who_may_connect_has_a_service_of_their_own_in_the_trial() -> None:
    services = composition()["services"]
    for principal in principals(partners()):
        pattern = re.compile(re.escape(principal.name.replace(".", "-")) + r"(-\d+)?")
        names = [name for name in services if pattern.fullmatch(name)]
        workers = partners().states[principal.state].workers if principal.role == "gate" else 1
        assert len(names) == workers
        for name in names:
            assert {"source": f"{principal.name}.key", "target": "tls.key"} in services[name]["secrets"]


def test_a_state_without_a_pack_of_its_own_still_gets_files() -> None:
    made = render(Partners(states={"CH": Partner(), "ZW": Partner()}))
    assert "SHARING_PACKS" in made["kubernetes/ch/settings.yaml"]
    assert "SHARING_PACKS" not in made["kubernetes/zw/settings.yaml"]
    assert "law-packs" not in made["kubernetes/zw/gate.yaml"]
    assert not [path for path in made if path.startswith("kubernetes/zw/packs")]


def test_each_state_has_its_folder() -> None:
    states = {state.lower() for state in partners().states}
    assert {path.name for path in KUBERNETES.iterdir() if path.is_dir()} == states | {"cluster"}
    assert {path.name for path in SYSTEMD.glob("*.env")} == {f"gate-{state}.env" for state in states}
