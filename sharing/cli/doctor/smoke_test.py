"""`sharing doctor --deep`: run the smoke test and report its stages as findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from sharing.cli.doctor.check_result import CheckResult
from sharing.errors import InfrastructureError, SharingError
from sharing.kafka.tls import read_identity, tls_properties
from sharing.serialization.schema_registry import load_framing
from sharing.settings import Settings
from sharing.testing.broker.certificates import client_tls_properties
from sharing.testing.smoke_test import (
    AGENCY,
    OFFICER_PRINCIPAL,
    PROVIDER,
    PUBLISHER_PRINCIPAL,
    SUBSCRIBER_PRINCIPAL,
    WAIT_SECONDS_MAX,
    ClientPropertiesLookup,
    SmokeTest,
    SmokeTestStage,
)
from sharing.topology.acls import Principal

DeepOption = Annotated[
    bool,
    typer.Option("--deep", help="Publish a test item of test State XA, and follow it to the notice that XB receives."),
]
CertificatesOption = Annotated[
    Path | None,
    typer.Option(
        "--certificates",
        metavar="FOLDER",
        help="For --deep with mutual TLS: ca.pem, and NAME.pem and NAME.key for agency.xa, console.xa and partner.xb.",
    ),
]


def run_smoke_test(settings: Settings, servers: str, certificates: Path | None) -> Iterator[CheckResult]:
    """Run the smoke test; yield a finding for each stage."""
    try:
        problem = _check_single_certificate(settings) if certificates is None else None
        if problem is not None:
            yield _to_finding(problem)
            return
        client = choose_client_properties(settings, certificates)
        test = SmokeTest(servers, client, load_framing(settings, PROVIDER), WAIT_SECONDS_MAX)
    except SharingError as error:
        yield _to_finding(SmokeTestStage("start", ok=False, detail=str(error), remedy="see the message"))
        return
    for stage in test.run():
        yield _to_finding(stage)


def _check_single_certificate(settings: Settings) -> SmokeTestStage | None:
    """Return a failed stage if a single certificate is configured: the test needs three. Else return None."""
    identity = read_identity(settings)
    if identity is None or identity.principal is None:
        return None
    names = f"{PUBLISHER_PRINCIPAL.name}, {OFFICER_PRINCIPAL.name} and {SUBSCRIBER_PRINCIPAL.name}"
    detail = f"not started: it needs the certificates of {names}; only that of {identity.name} is configured"
    return SmokeTestStage(
        "start",
        ok=False,
        detail=detail,
        remedy=f"give --certificates a folder with ca.pem and the certificates of {names}",
    )


def report_no_broker() -> CheckResult:
    """Return the finding for a smoke test that cannot start because no broker answers."""
    return _to_finding(
        SmokeTestStage("start", ok=False, detail="not started: no broker answers", remedy="see `broker` above")
    )


def _to_finding(stage: SmokeTestStage) -> CheckResult:
    return CheckResult(f"deep {stage.name}", ok=stage.ok, detail=stage.detail, remedy=stage.remedy)


def choose_client_properties(settings: Settings, certificates: Path | None) -> ClientPropertiesLookup:
    """Return a function from principal to TLS properties.

    Args:
        settings: Used for every principal if there is no folder.
        certificates: Folder with a certificate for each principal.

    Raises:
        InfrastructureError: The folder does not exist.
        SettingsError: The configured certificate is unusable.
    """
    if certificates is None:
        shared = tls_properties(settings)
        return lambda _: shared
    if not certificates.is_dir():
        raise InfrastructureError(f"{certificates} is not a folder of certificates")

    def find_properties(principal: Principal) -> Mapping[str, Any]:
        if principal == PUBLISHER_PRINCIPAL and (certificates / f"{principal.name}.{AGENCY}.pem").is_file():
            return client_tls_properties(certificates, f"{principal.name}.{AGENCY}")
        return client_tls_properties(certificates, principal.name)

    return find_properties
