"""A real Apache Kafka for local work and tests: one KRaft node, without Docker, root or a system Java.

The node is a process of its own. It outlives the Python process that started it and can be asked after and
stopped from any other: all that is known about it stands in its folder.

    broker.json        version, port, pid and mark of the process
    server.properties  its configuration, written at each start
    data/              its topics
    certificates/      of a secure one: the authority, and one with its key for each principal
    kafka.log          what it says (kafka.log.1: the run before)
"""

from __future__ import annotations

import dataclasses
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Self

from sharing.errors import InfrastructureError, InputError
from sharing.testing.broker import DEFAULT_PARTITIONS, admin, certificates
from sharing.testing.broker.jars import KAFKA_VERSION, fetch_jars, find_java
from sharing.testing.broker.jvm import PROPERTIES_FILE, JavaCommand, format_storage, spawn_node
from sharing.testing.broker.process import (
    LOOPBACK,
    accepts,
    check_port,
    end_process,
    free_port,
    lock_folder,
    read_tail,
)
from sharing.testing.broker.run_state import BrokerRun, KafkaState, KafkaStatus, read_run, write_private, write_run
from sharing.testing.broker.server_properties import DATA_FOLDER, render_properties, server_properties

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

__all__ = ["KafkaBroker", "KafkaState", "KafkaStatus"]

_READY_S = 60.0
_STATUS_S = 3.0
_STOP_S = 20.0
_POLL_S = 0.05
_LOG_LINES = 8


class KafkaBroker:
    """The broker of one folder. As a context manager it starts on entry and is stopped on exit.

    Args:
        folder: Where all its files go; made when it does not exist. Short-lived tests give a temporary one.
        port: On the loopback; 0 takes that of the run before, or a free one.
        properties: Kafka's own, such as `authorizer.class.name`; they win over those of this module.
        listeners: Further listeners by security protocol with their ports, such as `{"SSL": 9094}`.
        principals: Names for which certificates are made at each start: the broker then asks for a certificate, and
            permits what an ACL permits and nothing else. None for a broker without security.
        java_options: Further options of the Java machine, such as `-javaagent:…`.
        cluster_id: Given to data folders that are new; without it each broker is a cluster of its own.
        on_progress: Called with a sentence before each step that takes a while.
    """

    kind: Final = "kafka"

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        *,
        properties: Mapping[str, str] | None = None,
        listeners: Mapping[str, int] | None = None,
        principals: Iterable[str] | None = None,
        java_options: Iterable[str] = (),
        cluster_id: str = "",
        on_progress: Callable[[str], None] | None = None,
    ) -> None:
        self.folder = folder.absolute()
        self.log = self.folder / "kafka.log"
        self._port = port
        self._properties = dict(properties or {})
        self._listeners = dict(listeners or {})
        self._principals = None if principals is None else tuple(principals)
        self._java_options = tuple(java_options)
        self._cluster_id = cluster_id
        self._on_progress = on_progress or (lambda _: None)
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def bootstrap(self) -> str:
        """`host:port` of the last run."""
        run = read_run(self.folder)
        if run is None:
            raise InfrastructureError(f"no broker was ever started in {self.folder}: sharing broker up")
        return f"{LOOPBACK}:{run.port}"

    @property
    def certificates_folder(self) -> Path:
        """Where a secure broker's certificates lie: `ca.pem`, `<principal>.pem`, `<principal>.key`."""
        return self.folder / certificates.FOLDER

    def client(self, name: str = certificates.BROKER) -> dict[str, str]:
        """Return librdkafka's properties for a client of this name, the super user when not given."""
        run = read_run(self.folder)
        return certificates.client_files(self.certificates_folder, name) if run and run.secure else {}

    def start(self) -> KafkaStatus:
        """Start the broker, unless it runs, and wait until it answers a metadata request.

        Raises:
            KafkaUnavailableError: The extra is not installed, or its JARs cannot be had.
            InputError: It runs already, on another port or with other security than asked for.
            InfrastructureError: The folder or a port cannot be used, or the process dies or is silent.
        """
        java = find_java()
        self._make_folder()
        with lock_folder(self.folder, "another command starts or stops the broker", timeout_s=_READY_S):
            run = read_run(self.folder)
            running = bool(run and run.find())
            self._check_security(run, running)
            if run and running:
                if self._port not in {0, run.port}:
                    raise InputError(
                        f"the broker in {self.folder} runs already, on port {run.port}: stop it first, to "
                        f"start it on port {self._port}",
                        field="port",
                    )
                self._await_answer(run)
                return dataclasses.replace(self._describe(run), already_running=True)
            if run and run.pid:
                self._on_progress("The broker had ended without being stopped; it starts again on its data.")
            run = self._launch(JavaCommand(java, fetch_jars(self._on_progress)), run)
            return self._describe(run)

    def status(self) -> KafkaStatus:
        """Return how the broker is, without changing anything.

        Raises:
            KafkaUnavailableError: The extra is not installed.
        """
        run = read_run(self.folder)
        return self._describe(run) if run else KafkaStatus(KafkaState.STOPPED, self.folder, self.log)

    def stop(self) -> bool:
        """Stop the broker: SIGTERM, then SIGKILL after 20 seconds. Its data and its port are kept.

        Returns:
            Whether there was a process to stop.

        Raises:
            InfrastructureError: The process cannot be ended.
        """
        if read_run(self.folder) is None:
            self._reap()
            return False
        with lock_folder(self.folder, "another command starts or stops the broker", timeout_s=_READY_S):
            run = read_run(self.folder)
            process = run.find() if run else None
            if process:
                end_process(process, graceful_s=_STOP_S)
            if run and run.pid:
                write_run(self.folder, dataclasses.replace(run, pid=None, mark="", started_at=""))
            self._reap()
        return process is not None

    def kill(self) -> None:
        """Kill the process as a fault would (SIGKILL). Data, port and the trace of the run stay."""
        run = read_run(self.folder)
        process = run.find() if run else None
        if process is None:
            raise InfrastructureError(f"no broker runs in {self.folder}")
        end_process(process, graceful_s=0)
        self._reap()

    def restart(self) -> KafkaStatus:
        """Start it again, on the same data and port, stopping it first if it runs."""
        self.stop()
        return self.start()

    def create_topics(
        self,
        names: Iterable[str],
        partitions: int | None = None,
        *,
        config: Mapping[str, str] | None = None,
    ) -> None:
        """Create the topics that do not exist yet, and wait until clients can see them.

        Raises:
            InputError: A name or the number of partitions is not acceptable.
            InfrastructureError: The broker does not answer, or refuses one.
        """
        count = DEFAULT_PARTITIONS if partitions is None else partitions
        admin.create_topics(self.bootstrap, names, count, config or {}, self.client())

    def _check_security(self, run: BrokerRun | None, running: bool) -> None:  # noqa: FBT001
        secure = self._principals is not None
        if run and run.secure and not secure:
            raise InputError(
                f"the broker in {self.folder} is a secure one: start it with --secure, or take another --folder",
                field="secure",
            )
        if run and running and secure and not run.secure:
            raise InputError(
                f"the broker in {self.folder} runs already, without security: stop it first, to start it with --secure",
                field="secure",
            )

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.folder / "tmp").mkdir(exist_ok=True)
        except OSError as error:
            raise InfrastructureError(
                f"the broker's folder {self.folder} cannot be made: {error.strerror}. Choose another with --folder"
            ) from error

    def _launch(self, java: JavaCommand, last: BrokerRun | None) -> BrokerRun:
        """Start the process and wait until it answers; what does not get there is ended again."""
        port = self._port or (last.port if last else free_port())
        for each in (port, *self._listeners.values()):
            check_port(each)
        if self._principals is not None:
            self._on_progress("Certificates are made.")
            certificates.make_certificates(self.certificates_folder, self._principals)
        self._write_properties(port)
        if not all((self.folder / each / "meta.properties").exists() for each in self._data_folders()):
            self._on_progress(f"Kafka {KAFKA_VERSION} formats its data folder.")
            format_storage(java, self.folder, self._cluster_id)
        self._on_progress(f"Kafka {KAFKA_VERSION} starts.")
        mark = f"-Dsharing.broker={uuid.uuid4()}"
        self._child = spawn_node(java, self.folder, self.log, mark, *self._java_options)
        secure = self._principals is not None
        run = BrokerRun(KAFKA_VERSION, port, self._child.pid, mark, datetime.now(UTC).isoformat(), secure)
        try:
            write_run(self.folder, run)
            self._await_answer(run)
        except BaseException:  # Ctrl-C too: nothing may be left running that nobody knows of
            self._reap()
            write_run(self.folder, BrokerRun(KAFKA_VERSION, port, secure=secure))
            raise
        return run

    def _data_folders(self) -> list[str]:
        return self._properties.get("log.dirs", DATA_FOLDER).split(",")

    def _write_properties(self, port: int) -> None:
        controller_port = free_port()
        while controller_port in {port, *self._listeners.values()}:
            controller_port = free_port()
        protocol, own = "PLAINTEXT", self._properties
        if self._principals is not None:
            protocol, own = "SSL", certificates.secure_properties(self.certificates_folder) | self._properties
        properties = server_properties(port, controller_port, self._listeners, own, protocol)
        # May hold key stores and passwords.
        write_private(self.folder / PROPERTIES_FILE, render_properties(properties))

    def _await_answer(self, run: BrokerRun) -> None:
        """Wait until the process answers a metadata request."""
        deadline, bootstrap = time.monotonic() + _READY_S, f"{LOOPBACK}:{run.port}"
        while time.monotonic() < deadline:
            # Of a child the system tells; its command line cannot be read while a JVM executes itself anew.
            ended = self._child.poll() is not None if self._child is not None else run.find() is None
            if ended:
                raise InfrastructureError(f"Kafka ended while it started. {self._quote_log()}")
            if accepts(run.port) and admin.answers(bootstrap, _STATUS_S, self.client()):
                return
            time.sleep(_POLL_S)
        raise InfrastructureError(
            f"Kafka (process {run.pid}) does not answer at {bootstrap} for {_READY_S:.0f} s. " + self._quote_log()
        )

    def _describe(self, run: BrokerRun) -> KafkaStatus:
        bootstrap = f"{LOOPBACK}:{run.port}"
        status = KafkaStatus(KafkaState.STOPPED, self.folder, self.log, run.version, bootstrap)
        if not run.pid:
            return status
        if run.find() is None:
            return dataclasses.replace(status, state=KafkaState.DEAD, detail=self._quote_log())
        status = dataclasses.replace(status, pid=run.pid, started_at=datetime.fromisoformat(run.started_at))
        if admin.answers(bootstrap, _STATUS_S, self.client()):
            return dataclasses.replace(status, state=KafkaState.RUNNING)
        return dataclasses.replace(status, state=KafkaState.SILENT, detail=self._quote_log())

    def _quote_log(self) -> str:
        lines = read_tail(self.log, _LOG_LINES)
        return f"The end of {self.log}:\n" + "\n".join(lines) if lines else f"{self.log} is empty."

    def _reap(self) -> None:
        """Leave neither a zombie nor a process whose record someone removed."""
        if self._child:
            self._child.kill()  # does nothing to one that has ended
            self._child.wait()
            self._child = None
