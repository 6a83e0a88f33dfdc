"""The committed files are up to date with the generator, and generated from the topic table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from sharing.tools.manifests import render_deployment
from sharing.tools.manifests.__main__ import main
from sharing.topology.acls import list_principals
from sharing.topology.partners import Partner, Partners
from sharing.topology.strimzi import make_kafka_topics, make_kafka_users
from tests.deploy.deploy_files import COMPOSE, DEPLOY, KUBERNETES, SYSTEMD, load_compose, load_partners, of_kind

GENERATED = render_deployment(load_partners())
WRITTEN_BY_HAND = {
    "Containerfile", "Containerfile.dockerignore", "certificates.py", "digests.py", "exporter.py", "partners.yaml",
    "compose/.gitignore", "compose/items/offered.jsonl", "compose/items/sent.jsonl",
    "systemd/sharing-desk@.service", "systemd/sharing-gate@.service", "systemd/sharing-subscriber@.service",
}  # fmt: skip


def list_committed_files() -> set[str]:
    files = (path for path in DEPLOY.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    local = {COMPOSE / "secrets", COMPOSE / "fetched", COMPOSE / ".env"}
    return {path.relative_to(DEPLOY).as_posix() for path in files if local.isdisjoint({path, *path.parents})}


@pytest.mark.parametrize("path", sorted(GENERATED))
def test_committed_files_are_up_to_date(path: str) -> None:
    assert (DEPLOY / path).read_text(encoding="utf-8") == GENERATED[path], "run `make deploy` and commit"


def test_every_file_is_generated_or_known_to_be_written_by_hand() -> None:
    assert list_committed_files() == set(GENERATED) | WRITTEN_BY_HAND


def test_a_second_run_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(DEPLOY / "partners.yaml"), str(tmp_path)]
    assert main(arguments) == 0
    assert main(arguments) == 0
    assert f"0 of {len(GENERATED)} files changed" in capsys.readouterr().out


def test_files_of_a_removed_state_are_listed_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(DEPLOY / "partners.yaml"), str(tmp_path)]) == 0
    fewer = tmp_path / "fewer.yaml"
    fewer.write_text("states: {CH: {}}\n")
    assert main([str(fewer), str(tmp_path)]) == 0
    assert str(tmp_path / "kubernetes/de/gate.yaml") in capsys.readouterr().out
    assert (tmp_path / "kubernetes/de/gate.yaml").is_file()


@pytest.mark.parametrize(
    ("text", "message"),
    [("states: {CH: {agency: []}}\n", "agency"), (None, "No such file"), ("partitions: 4\n", "states")],
)
def test_an_invalid_partners_file_generates_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, message: str
) -> None:
    source = tmp_path / "partners.yaml"
    if text is not None:
        source.write_text(text)
    assert main([str(source), str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_topics_and_users_match_the_topic_table() -> None:
    assert of_kind("KafkaTopic") == list(make_kafka_topics(load_partners(), "sharing"))
    assert of_kind("KafkaUser") == list(make_kafka_users(load_partners(), "sharing"))


def test_the_trial_has_the_same_states_on_one_broker() -> None:
    trial = yaml.safe_load((COMPOSE / "partners.yaml").read_text(encoding="utf-8"))
    assert Partners(**trial) == load_partners().model_copy(update={"replication": 1})


def test_every_client_has_its_own_service_in_the_trial() -> None:
    services = load_compose()["services"]
    for principal in list_principals(load_partners()):
        pattern = re.compile(re.escape(principal.name.replace(".", "-")) + r"(-\d+)?")
        names = [name for name in services if pattern.fullmatch(name)]
        workers = load_partners().states[principal.state].workers if principal.role == "gate" else 1
        assert len(names) == workers
        for name in names:
            assert {"source": f"{principal.name}.key", "target": "tls.key"} in services[name]["secrets"]


def test_the_law_office_of_a_state_without_a_shipped_pack_adds_it() -> None:
    generated = render_deployment(Partners(states={"CH": Partner(), "ZW": Partner()}))
    assert "kubernetes/ch/packs/ch.yaml" in generated
    assert not [path for path in generated if path.startswith("kubernetes/zw/packs")]
    assert "packs/zw.yaml.sig" in generated["kubernetes/zw/kustomization.yaml"]
    assert "SHARING_PACK_KEY" in generated["kubernetes/zw/settings.yaml"]


def test_every_state_has_its_folder() -> None:
    states = {state.lower() for state in load_partners().states}
    assert {path.name for path in KUBERNETES.iterdir() if path.is_dir()} == states | {"cluster"}
    names = {f"{kind}-{state}.env" for kind in ("gate", "desk") for state in states}
    assert {path.name for path in SYSTEMD.glob("*.env")} == names
