"""Runs the Java programs of a local Kafka node: the storage formatter and the node itself."""

from __future__ import annotations

import base64
import os
import subprocess
import uuid
from typing import TYPE_CHECKING, NamedTuple

from sharing.errors import InfrastructureError
from sharing.testing.broker.java_log import quote_output

if TYPE_CHECKING:
    from pathlib import Path

PROPERTIES_FILE = "server.properties"

_FORMAT_TIMEOUT_S = 60.0
# The one variable that is inherited marks the processes of a test run, so that none of them outlives it.
_INHERITED = ("TEST_RUN",)
OPTIONS: tuple[str, ...] = (
    "-Xmx512m",
    # As in Kafka's own start script. Without them, a grown heap causes pauses of 25 to 40 ms.
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",  # it would leave a file in the system's temporary folder
    "-Djava.io.tmpdir=tmp",
    "-Djava.awt.headless=true",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)
"""Java options of both programs."""


def make_environment() -> dict[str, str]:
    """Return a node's environment: JAVA_TOOL_OPTIONS, CLASSPATH and others of the caller would change the broker."""
    return {"LC_ALL": "C.UTF-8", **{name: os.environ[name] for name in _INHERITED if name in os.environ}}


class JavaCommand(NamedTuple):
    """A Java executable and the JARs of its class path."""

    java: Path
    jars: tuple[Path, ...]

    def arguments(self, *options: str) -> list[str]:
        """Return the command line up to the main class."""
        return [str(self.java), "-cp", os.pathsep.join(map(str, self.jars)), *OPTIONS, *options]


def make_cluster_id() -> str:
    """Return a new cluster id: a UUID in Kafka's form of 22 characters."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def format_storage(java: JavaCommand, folder: Path, cluster_id: str = "") -> None:
    """Format new data folders; Kafka does not start on an unformatted one.

    Args:
        java: The Java command.
        folder: The broker's folder.
        cluster_id: The cluster id; a new one if empty.

    Raises:
        InfrastructureError: Formatting failed.
    """
    command = [
        *java.arguments("kafka.tools.StorageTool", "format", "--ignore-formatted"),
        f"--cluster-id={cluster_id or make_cluster_id()}",
        f"--config={PROPERTIES_FILE}",
    ]
    try:
        result = subprocess.run(  # noqa: S603 - own JRE and arguments
            command,
            cwd=folder,
            env=make_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=_FORMAT_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InfrastructureError(f"Kafka cannot format its data folder in {folder}: {error}") from error
    if result.returncode:
        raise InfrastructureError(f"Kafka cannot format its data folder in {folder}:\n{quote_output(result.stdout)}")


def spawn_node(java: JavaCommand, folder: Path, log: Path, *options: str) -> subprocess.Popen[bytes]:
    """Start the node as a process that outlives this one.

    Args:
        java: The Java command.
        folder: The broker's folder.
        log: Log file; an existing one is kept as `.log.1`.
        options: Further Java options.

    Raises:
        InfrastructureError: The log cannot be written, or the process cannot be started.
    """
    try:
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        with log.open("wb") as output:
            return subprocess.Popen(  # noqa: S603 - own JRE and arguments
                java.arguments(*options, "kafka.Kafka", PROPERTIES_FILE),
                cwd=folder,
                env=make_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C must reach the command, not the broker
            )
    except OSError as error:
        raise InfrastructureError(f"Kafka cannot be started in {folder}: {error}") from error
