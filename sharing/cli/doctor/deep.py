"""`sharing doctor --deep`: the smoke test, as findings of the doctor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from sharing.cli.doctor.finding import DoctorFinding
from sharing.errors import InfrastructureError, SharingError
from sharing.kafka.tls import read_identity, tls_properties
from sharing.serialization.schema_registry import open_framing
from sharing.settings import Settings
from sharing.testing.broker.certificates import client_files
from sharing.testing.smoke_test import (
    AGENCY,
    MINUTES,
    PARTNER,
    PROVIDER,
    WAIT_SECONDS_MAX,
    WRITER,
    Client,
    SmokeTest,
    SmokeTestStage,
)
from sharing.topology.acls import Principal

Deep = Annotated[
    bool,
    typer.Option(
        "--deep", help="Publish a marked item of test State XA, and follow it to the notice that XB receives."
    ),
]
Certificates = Annotated[
    Path | None,
    typer.Option(
        "--certificates",
        metavar="FOLDER",
        help="For --deep behind mutual TLS: ca.pem, and NAME.pem and NAME.key of agency.xa, console.xa and partner.xb.",
    ),
]


def examine_deep(settings: Settings, servers: str, certificates: Path | None) -> Iterator[DoctorFinding]:
    """Yield what was found at each stage of the smoke test."""
    try:
        lone = _alone(settings) if certificates is None else None
        if lone is not None:
            yield _finding(lone)
            return
        client = find_client(settings, certificates)
        test = SmokeTest(servers, client, open_framing(settings, PROVIDER), WAIT_SECONDS_MAX)
    except SharingError as error:
        yield _finding(SmokeTestStage("start", ok=False, detail=str(error), remedy="see the message"))
        return
    for stage in test.run():
        yield _finding(stage)


def _alone(settings: Settings) -> SmokeTestStage | None:
    """Return what is to be said where one party's certificate would have to serve for all; None where none would."""
    identity = read_identity(settings)
    if identity is None or identity.principal is None:
        return None
    parties = f"{WRITER.name}, {MINUTES.name} and {PARTNER.name}"
    detail = f"not begun: it takes the certificates of {parties}, and {identity.name} is one party"
    return SmokeTestStage(
        "start", ok=False, detail=detail, remedy=f"give --certificates a folder with ca.pem and those of {parties}"
    )


def skipped() -> DoctorFinding:
    """Return what is found where no broker answers."""
    return _finding(
        SmokeTestStage("start", ok=False, detail="not begun: no broker answers", remedy="see `broker` above")
    )


def _finding(stage: SmokeTestStage) -> DoctorFinding:
    return DoctorFinding(f"deep {stage.name}", ok=stage.ok, detail=stage.detail, remedy=stage.remedy)


def find_client(settings: Settings, certificates: Path | None) -> Client:
    """Return who connects how: each with its own certificate where a folder has them, else all as the settings say.

    Raises:
        InfrastructureError: The folder lacks one.
        SettingsError: The certificate of the settings cannot serve.
    """
    if certificates is None:
        own = tls_properties(settings)
        return lambda _: own
    if not certificates.is_dir():
        raise InfrastructureError(f"{certificates} is not a folder of certificates")

    def find(who: Principal) -> Mapping[str, Any]:
        if who == WRITER and (certificates / f"{who.name}.{AGENCY}.pem").is_file():
            return client_files(certificates, f"{who.name}.{AGENCY}")
        return client_files(certificates, who.name)

    return find
