"""A real Apache Kafka for local work and tests: one KRaft node, without Docker, root or a system Java.

The node is a separate process. It outlives the Python process that started it, and any other process can query
or stop it: all its state is in its folder.

    broker.json        version, port, pid and mark of the process
    server.properties  configuration, written at each start
    data/              topics
    certificates/      for a secure broker: the CA certificate, and certificate and key of each principal
    kafka.log          log (kafka.log.1: of the previous run)
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
from sharing.testing.broker.java_log import quote_log
from sharing.testing.broker.jvm import PROPERTIES_FILE, JavaCommand, format_storage, spawn_node
from sharing.testing.broker.process import (
    LOOPBACK,
    accepts_connections,
    check_port,
    end_process,
    find_free_port,
    lock_folder,
)
from sharing.testing.broker.run_state import BrokerRun, KafkaState, KafkaStatus, read_run, write_private_file, write_run
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


class KafkaBroker:
    """The broker of one folder. As a context manager it starts on entry and is stopped on exit.

    Args:
        folder: Folder for all its files; created if missing.
        port: Port on the loopback interface; 0 reuses the port of the last run, or picks a free one.
        properties: Further Kafka properties, such as `authorizer.class.name`; they override those set here.
        listeners: Ports of further listeners by security protocol, such as `{"SSL": 9094}`.
        principals: Names for which certificates are created at each start. The broker then requires a certificate
            and denies everything that no ACL permits. None for a broker without security.
        java_options: Further Java options, such as `-javaagent:…`.
        cluster_id: Cluster id for new data folders; a random one if empty.
        on_progress: Called with a message before each slow step.
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
            raise InfrastructureError(f"no broker was ever started in {self.folder}; start one with: sharing broker up")
        return f"{LOOPBACK}:{run.port}"

    @property
    def certificates_folder(self) -> Path:
        """Folder with the certificates of a secure broker: `ca.pem`, `<principal>.pem`, `<principal>.key`."""
        return self.folder / certificates.FOLDER

    def client_properties(self, name: str = certificates.BROKER) -> dict[str, str]:
        """Return the librdkafka properties for a client with this name; default: the super user."""
        run = read_run(self.folder)
        return certificates.client_tls_properties(self.certificates_folder, name) if run and run.secure else {}

    def start(self) -> KafkaStatus:
        """Start the broker if it is not running, and wait until it answers a metadata request.

        Raises:
            KafkaUnavailableError: The extra is not installed, or the JARs cannot be fetched.
            InputError: It is already running, on another port or with another security setting.
            InfrastructureError: The folder or a port cannot be used, or the process ends or does not answer.
        """
        java = find_java()
        self._make_folder()
        with lock_folder(self.folder, "another command is starting or stopping the broker", timeout_s=_READY_S):
            run = read_run(self.folder)
            running = bool(run and run.find_process())
            self._check_security(run, running)
            if run and running:
                if self._port not in {0, run.port}:
                    raise InputError(
                        f"the broker in {self.folder} is already running on port {run.port}: "
                        f"stop it before starting it on port {self._port}",
                        field="port",
                    )
                self._await_answer(run)
                return dataclasses.replace(self._build_status(run), already_running=True)
            if run and run.pid:
                self._on_progress("The broker had ended without being stopped; restarting it on its data.")
            run = self._launch(JavaCommand(java, fetch_jars(self._on_progress)), run)
            return self._build_status(run)

    def status(self) -> KafkaStatus:
        """Return the status of the broker, without changing anything.

        Raises:
            KafkaUnavailableError: The extra is not installed.
        """
        run = read_run(self.folder)
        return self._build_status(run) if run else KafkaStatus(KafkaState.STOPPED, self.folder, self.log)

    def stop(self) -> bool:
        """Stop the broker: SIGTERM, then SIGKILL after 20 seconds. Its data and its port are kept.

        Returns:
            Whether there was a process to stop.

        Raises:
            InfrastructureError: The process cannot be ended.
        """
        if read_run(self.folder) is None:
            self._kill_child()
            return False
        with lock_folder(self.folder, "another command is starting or stopping the broker", timeout_s=_READY_S):
            run = read_run(self.folder)
            process = run.find_process() if run else None
            if process:
                end_process(process, graceful_s=_STOP_S)
            if run and run.pid:
                write_run(self.folder, dataclasses.replace(run, pid=None, mark="", started_at=""))
            self._kill_child()
        return process is not None

    def kill(self) -> None:
        """Kill the process with SIGKILL, to simulate a crash. Data, port and the record of the run are kept."""
        run = read_run(self.folder)
        process = run.find_process() if run else None
        if process is None:
            raise InfrastructureError(f"no broker is running in {self.folder}")
        end_process(process, graceful_s=0)
        self._kill_child()

    def restart(self) -> KafkaStatus:
        """Stop the broker if it is running, and start it on the same data and port."""
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
            InputError: A name or the number of partitions is invalid.
            InfrastructureError: The broker does not answer, or refuses a topic.
        """
        count = DEFAULT_PARTITIONS if partitions is None else partitions
        admin.create_topics(self.bootstrap, names, count, config or {}, self.client_properties())

    def _check_security(self, run: BrokerRun | None, running: bool) -> None:  # noqa: FBT001
        secure = self._principals is not None
        if run and run.secure and not secure:
            raise InputError(
                f"the broker in {self.folder} is secure: start it with --secure, or use another --folder",
                field="secure",
            )
        if run and running and secure and not run.secure:
            raise InputError(
                f"the broker in {self.folder} is already running without --secure: stop it first",
                field="secure",
            )

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.folder / "tmp").mkdir(exist_ok=True)
        except OSError as error:
            raise InfrastructureError(
                f"the broker's folder {self.folder} cannot be created: {error.strerror}. Choose another with --folder"
            ) from error

    def _launch(self, java: JavaCommand, last: BrokerRun | None) -> BrokerRun:
        """Start the process and wait until it answers; end it if it does not."""
        port = self._port or (last.port if last else find_free_port())
        for listener_port in (port, *self._listeners.values()):
            check_port(listener_port)
        if self._principals is not None:
            self._on_progress("Creating certificates.")
            certificates.make_certificates(self.certificates_folder, self._principals)
        self._write_properties(port)
        if not all((self.folder / name / "meta.properties").exists() for name in self._data_folders()):
            self._on_progress(f"Formatting the data folder of Kafka {KAFKA_VERSION}.")
            format_storage(java, self.folder, self._cluster_id)
        self._on_progress(f"Starting Kafka {KAFKA_VERSION}.")
        mark = f"-Dsharing.broker={uuid.uuid4()}"
        self._child = spawn_node(java, self.folder, self.log, mark, *self._java_options)
        secure = self._principals is not None
        run = BrokerRun(KAFKA_VERSION, port, self._child.pid, mark, datetime.now(UTC).isoformat(), secure)
        try:
            write_run(self.folder, run)
            self._await_answer(run)
        except BaseException:  # also on Ctrl-C: no unknown process may be left running
            self._kill_child()
            write_run(self.folder, BrokerRun(KAFKA_VERSION, port, secure=secure))
            raise
        return run

    def _data_folders(self) -> list[str]:
        return self._properties.get("log.dirs", DATA_FOLDER).split(",")

    def _write_properties(self, port: int) -> None:
        controller_port = find_free_port()
        while controller_port in {port, *self._listeners.values()}:
            controller_port = find_free_port()
        protocol, extra = "PLAINTEXT", self._properties
        if self._principals is not None:
            protocol, extra = "SSL", certificates.secure_server_properties(self.certificates_folder) | self._properties
        properties = server_properties(port, controller_port, self._listeners, extra, protocol)
        # The file may contain keys and passwords.
        write_private_file(self.folder / PROPERTIES_FILE, render_properties(properties))

    def _await_answer(self, run: BrokerRun) -> None:
        """Wait until the process answers a metadata request."""
        deadline, bootstrap = time.monotonic() + _READY_S, f"{LOOPBACK}:{run.port}"
        while time.monotonic() < deadline:
            # Poll an own child: the command line of a JVM cannot be read while it re-executes itself.
            ended = self._child.poll() is not None if self._child is not None else run.find_process() is None
            if ended:
                raise InfrastructureError(f"Kafka ended during startup. {quote_log(self.log)}")
            if accepts_connections(run.port) and admin.is_answering(bootstrap, _STATUS_S, self.client_properties()):
                return
            time.sleep(_POLL_S)
        raise InfrastructureError(
            f"Kafka (process {run.pid}) did not answer at {bootstrap} within {_READY_S:.0f} s. " + quote_log(self.log)
        )

    def _build_status(self, run: BrokerRun) -> KafkaStatus:
        bootstrap = f"{LOOPBACK}:{run.port}"
        status = KafkaStatus(KafkaState.STOPPED, self.folder, self.log, run.version, bootstrap)
        if not run.pid:
            return status
        if run.find_process() is None:
            return dataclasses.replace(status, state=KafkaState.DEAD, detail=quote_log(self.log))
        status = dataclasses.replace(status, pid=run.pid, started_at=datetime.fromisoformat(run.started_at))
        if admin.is_answering(bootstrap, _STATUS_S, self.client_properties()):
            return dataclasses.replace(status, state=KafkaState.RUNNING)
        return dataclasses.replace(status, state=KafkaState.SILENT, detail=quote_log(self.log))

    def _kill_child(self) -> None:
        """Kill and reap the child process, so that neither a zombie nor an unrecorded process remains."""
        if self._child:
            self._child.kill()  # no effect if it has already ended
            self._child.wait()
            self._child = None
