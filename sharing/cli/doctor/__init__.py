"""`sharing doctor`: check the installation and the bus, and give a remedy for each problem."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import typer

from sharing.cli.doctor.access import check_certificate, check_rights
from sharing.cli.doctor.brokers import check_broker_settings, check_quotas
from sharing.cli.doctor.check_result import CheckResult
from sharing.cli.doctor.clock import check_clock
from sharing.cli.doctor.cluster import Cluster, check_broker, open_cluster
from sharing.cli.doctor.directory import check_directory
from sharing.cli.doctor.gates import check_gates
from sharing.cli.doctor.grouping import group_findings
from sharing.cli.doctor.installation import (
    DoctorOptions,
    check_geoip,
    check_packages,
    check_python,
    check_schemas,
    check_settings,
)
from sharing.cli.doctor.keys import check_own_keys, check_pins
from sharing.cli.doctor.law import check_packs
from sharing.cli.doctor.smoke_test import CertificatesOption, DeepOption, report_no_broker, run_smoke_test
from sharing.cli.doctor.topics import check_partitions, check_topics
from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, err, print_json, print_line
from sharing.cli.shared.partners import StatesOption, read_states
from sharing.errors import InputError, SharingError
from sharing.settings import Settings

# All checks, in the order of the output. To add one, add it to the tuple whose argument it needs.
INSTALLATION_CHECKS: tuple[Callable[[DoctorOptions], Iterator[CheckResult]], ...] = (
    check_python,
    check_packages,
    check_settings,
    check_schemas,
)
"""These need only the options; they always run."""
CONFIGURATION_CHECKS: tuple[Callable[[Settings], Iterator[CheckResult]], ...] = (
    check_geoip,
    check_packs,
    check_own_keys,
    check_pins,
    check_certificate,
    check_broker,
)
"""These run if the settings can be loaded."""
CLUSTER_CHECKS: tuple[Callable[[Cluster], Iterator[CheckResult]], ...] = (
    check_broker_settings,
    check_topics,
    check_partitions,
    check_rights,
    check_quotas,
    check_clock,
    check_directory,
    check_gates,
)
"""These run if the broker answers."""


def doctor(
    states: StatesOption = None,
    bootstrap: Bootstrap = None,
    deep: DeepOption = False,
    certificates: CertificatesOption = None,
    as_json: AsJson = False,
) -> None:
    """Check Python, packages, settings, schemas, law packs and certificate; then the broker, if one is configured."""
    read_states(states)  # refuses a wrong code before any check runs
    if certificates is not None and not deep:
        raise InputError("--certificates needs --deep: only that connects as others")
    options = DoctorOptions(tuple(states or ()), bootstrap)
    findings = _run_checks(options)
    if deep:
        findings += _run_deep_checks(findings, options, certificates)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        findings = list(group_findings(findings))
        for finding in findings:
            print_line(f"{finding.status_label} {finding.check}: {finding.detail}")
            if not finding.ok or finding.warning:
                print_line(f"remedy: {finding.remedy}", indent=5)
    if not all(finding.ok for finding in findings):
        err.print(f"{sum(not finding.ok for finding in findings)} of {len(findings)} checks failed")
        raise typer.Exit(1)


def _run_checks(options: DoctorOptions) -> list[CheckResult]:
    findings: list[CheckResult] = []
    for check_installation in INSTALLATION_CHECKS:
        findings += check_installation(options)
    try:
        settings = options.load_settings()
    except SharingError:  # reported by check_settings
        return findings
    for check_configuration in CONFIGURATION_CHECKS:
        findings += check_configuration(settings)
    if _is_broker_answering(findings):
        cluster = open_cluster(settings, options.states)
        for check_cluster in CLUSTER_CHECKS:
            findings += check_cluster(cluster)
    return findings


def _run_deep_checks(
    findings: list[CheckResult], options: DoctorOptions, certificates: Path | None
) -> list[CheckResult]:
    if not _is_broker_answering(findings):
        return [report_no_broker()]
    settings = options.load_settings()
    return list(run_smoke_test(settings, str(settings.bootstrap), certificates))


def _is_broker_answering(findings: list[CheckResult]) -> bool:
    return any(finding.check == "broker" and finding.ok for finding in findings)
