"""The wheel without the checkout: it contains everything that it needs, and works in an empty folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import ACTS, CHECKPOINTS, DECISIONS, DIRECTORY
from tests.audit.audit_fixtures import make_id
from tests.audit.audited_bus import STATES, prepare_audited_bus

Run = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).parents[1]
SECONDS = 300
RESOURCES = {".avsc", ".yaml", ".json", ".jars", ".html", ".css", ".js", ".svg", ".po", ".txt"}

# The checkout is installed in the same environment as an editable package: remove it from the import path.
PROGRAM = f"""
import sys
sys.path = [entry for entry in sys.path if entry != {str(ROOT)!r}]
from sharing.cli import main
main()
"""
ITEM = {
    "id": "018f3c1e-7b1a-7c3d-8e2f-0123456789ab",
    "type": "domain-name",
    "value": "update-check[.]example.nl",
    "source": {"authority": "POLICE"},
    "form": "INFORMATION",
    "offence": {"codes": ["ILLEGAL_ACCESS"]},
    "collection": "OPEN_SOURCE",
    "secrecy_domain": False,
    "personal_data": False,
    "live_case_harm": False,
    "character": [],
    "purpose": "DETECTION",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT))
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    _pip("install", "--no-deps", "--no-index", "--target", str(folder), str(wheel))
    return folder


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert result.returncode == 0, result.stderr


@pytest.fixture
def run(installed: Path, tmp_path: Path) -> Run:
    """Return a function that runs the installed `sharing` in an empty folder."""

    def call(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SHARING_")}
        return subprocess.run(
            [sys.executable, "-c", PROGRAM, *arguments],
            env={**inherited, **settings, "PYTHONPATH": str(installed), "HOME": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    return call


def test_the_wheel_contains_all_resources_and_no_other_packages(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"sharing", "processors", "schemas"}
    resources = {
        str(path.relative_to(ROOT))
        for top in tops
        for path in (ROOT / top).rglob("*")
        if path.suffix in RESOURCES or path.name in {"py.typed", "LICENSE", "LICENSE.htmx", "LICENSE.sse"}
    }
    assert resources <= set(names)
    for folder, suffix in (
        ("templates", ".html"),
        ("static", ".css"),
        ("static/vendor", ".js"),
        ("messages/fr", ".po"),
    ):
        assert any(name.startswith(f"sharing/desk/{folder}/") and name.endswith(suffix) for name in names), folder
    licences = {Path(name).parent.name + "/" + Path(name).name for name in names if Path(name).name == "LICENSE"}
    assert {"licenses/LICENSE", "misp/LICENSE"} <= licences
    entry = next(name for name in names if name.endswith("entry_points.txt"))
    assert "sharing = sharing.__main__:main" in zipfile.ZipFile(wheel).read(entry).decode()


def test_the_installed_package_is_imported(installed: Path, tmp_path: Path) -> None:
    code = PROGRAM.replace("from sharing.cli import main\nmain()", "import sharing, processors, schemas\n") + (
        "print(*(module.__path__[0] for module in (sharing, processors, schemas)), sep='\\n')"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(installed)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    assert result.stdout.split() == [str(installed / name) for name in ("sharing", "processors", "schemas")]


def test_packs_treaties_and_cases_are_in_the_wheel(run: Run) -> None:
    result = run("law", "list", "--json")
    assert result.returncode == 0, result.stderr
    assert {"CH", "DE", "JP", "NL"} <= {row["state"] for row in json.loads(result.stdout)}
    result = run("law", "test", "CH", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["failed"] == []


def test_a_proof_is_checked_with_the_wheel_and_the_pinned_roots_alone(run: Run, tmp_path: Path) -> None:
    item, proof = make_id(0), tmp_path / "decision.tlog-proof"
    with EmbeddedBroker() as broker:
        broker.create_topics([kind.topic("CH") for kind in (DECISIONS, ACTS, CHECKPOINTS)], 1)
        broker.create_topics([DIRECTORY.topic(state) for state in STATES], 1)
        bus = prepare_audited_bus(broker, tmp_path / "bus", 0, 3, 2)
        trust = {"SHARING_TRUST_FILE": str(bus.trust_file), "SHARING_STATE": "CH"}
        made = run("audit", "prove", item, "--output", str(proof), "--bootstrap", broker.bootstrap, **trust)
        assert made.returncode == 0, made.stderr
    checked = run("audit", "check-proof", str(proof), "--trust-file", str(bus.trust_file), "--json")
    assert checked.returncode == 0, checked.stderr
    document = json.loads(checked.stdout)
    assert (document["item"], sorted(document["cosigned_by"])) == (item, ["DE", "FR"])
    assert document["record"]["recipients"][0]["rules"][0]["citation"]
    proof.write_bytes(proof.read_bytes().replace(b"\nindex 0\n", b"\nindex 1\n"))
    altered = run("audit", "check-proof", str(proof), "--trust-file", str(bus.trust_file))
    assert (altered.returncode, altered.stdout) == (1, "")
    assert "has a checkpoint of another log than its entry, or of another block" in altered.stderr


def test_the_duty_desk_has_its_templates_styles_and_words(installed: Path, tmp_path: Path) -> None:
    code = PROGRAM.replace(
        "from sharing.cli import main\nmain()",
        "from sharing.desk.web.catalogue import set_language, translate\n"
        "from sharing.desk.web.rendering import make_environment\n"
        "from sharing.desk.web.static_files import StaticFiles\n"
        "environment = make_environment(StaticFiles())\n"
        "for name in environment.list_templates(): environment.get_template(name)\n"
        "set_language('fr')\n"
        "print(StaticFiles().make_url('desk.css'), translate('Sign out'))\n",
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(installed), "PYTHONIOENCODING": "utf-8"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("/static/desk.css?v=")
    assert result.stdout.endswith("Se déconnecter\n")


def test_law_explain_works(run: Run, tmp_path: Path) -> None:
    (tmp_path / "item.jsonl").write_text(json.dumps(ITEM) + "\n")
    result = run("law", "explain", "item.jsonl", "--state", "CH", "--to", "NL", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["why"][0]["outcome"] == "DISCLOSE"


def test_a_dry_run_of_the_samples_adds_up(run: Run, installed: Path) -> None:
    samples = installed / "sharing" / "testing" / "samples"
    events = sorted(map(str, (samples / "misp").glob("*.json")))
    assert events
    profile = str(samples / "profiles" / "ch.yaml")
    result = run("publish", *events, "--state", "CH", "--agency", "a", "--profile", profile, "--dry-run", "--json")
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["read"] == document["published"] + len(document["not_published"])
    assert document["published"] > 0


def test_doctor_finds_no_problem_but_the_missing_broker(run: Run) -> None:
    result = run("doctor", "--json")
    checks = {finding["check"]: finding["ok"] for finding in json.loads(result.stdout)}
    assert [check for check, ok in checks.items() if not ok] == ["broker"]  # none is configured
