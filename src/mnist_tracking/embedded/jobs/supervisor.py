"""
The process that runs one training job, from its data to its model. It outlives the process that created the job.

``python -m mnist_tracking.embedded.jobs.supervisor HOME JOB LOCK_FD``. The job's folder holds its settings.
"""

import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import attrs

from mnist_tracking._values.files import acquire_lock
from mnist_tracking.embedded.jobs import state
from mnist_tracking.embedded.jobs.checkpoints import Checkpoints
from mnist_tracking.embedded.jobs.component_updates import ComponentUpdates
from mnist_tracking.embedded.jobs.container import Layout, Placement, variables
from mnist_tracking.embedded.jobs.hosts import Host, ReservedPort, hosts_of
from mnist_tracking.embedded.jobs.launcher import script_lock, script_pid
from mnist_tracking.embedded.jobs.metric_values import FileMetrics, Lines, LogMetrics, MetricValue
from mnist_tracking.embedded.jobs.scripts import ScriptGroup, command, failure_reason, notes
from mnist_tracking.embedded.jobs.transfers import JobError, check_buckets, prepare_host, upload_outputs
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.supervision import SupervisorSettings

_DAY_S = 86_400


class HostRun:
    """
    One host of a running job.

    Args:
        placement: The host.
        stream: The name of its log stream.
        warn: Called with the reason when an update of the trial component is rejected.
        connect: Returns a client of SageMaker.

    Attributes:
        placement: As given.
        stream: As given.
        files: The metric files of the script.
        updates: The updates that it makes to its trial component.
    """

    def __init__(
        self, placement: Placement, stream: str, *, warn: Callable[[str], object], connect: Callable[[], Any]
    ) -> None:
        self.placement, self.stream = placement, stream
        self.files = FileMetrics(placement.layout.metrics)
        self.updates = ComponentUpdates(placement.layout.updates, warn=warn, connect=connect)

    def process(self, python: str) -> dict[str, Any]:
        """
        Return the command, the folder and the environment of the script.

        Raises:
            JobError: If it cannot be run.
        """
        placement = self.placement
        return {"argv": command(placement, python), "cwd": placement.layout.code, "env": variables(placement)}


@attrs.frozen
class Outcome:
    """How a job ended: its status, its secondary status if that differs, and why it failed."""

    status: str
    secondary: str | None = None
    reason: str | None = None


class JobSupervisor:
    """Runs one job, on all of its hosts."""

    def __init__(self, store: Store, name: str, settings: SupervisorSettings) -> None:
        with store.read() as connection:
            job = state.read_job(connection, name)
        if job is None:
            raise LookupError(f"no training job named {name!r}")
        self._store, self._job, self._settings = store, job, settings
        self._request = state.request_of(job)
        self._folder = state.job_folder(store.home, name)
        self._scripts = ScriptGroup(settings.timing)
        self._hosts: dict[str, HostRun] = {}
        self._started = int(time.time())
        self._checkpoints: Checkpoints | None = None
        self._has_begun = False
        self._ended_as: str | None = None  # "Stopped" or "MaxRuntimeExceeded" once the scripts must end early

    def run(self) -> None:
        """Run the job and record how it ended."""
        signal.signal(signal.SIGTERM, self._on_sigterm)
        with self._store.write() as connection:
            state.register_supervisor(connection, self._job["id"], os.getpid())
            is_stopping = state.is_stopping(connection, self._job["id"])
        if is_stopping:  # requested before there was a process to signal
            self._end_early("Stopped")
        outcome, has_model = self._upload(self._attempt(self._train))
        shutil.rmtree(self._folder / "ml", ignore_errors=True)
        with self._store.write() as connection:
            if outcome.status == "Completed" and state.is_stopping(connection, self._job["id"]):
                outcome = Outcome("Stopped")  # requested while the model was uploaded
            ending = attrs.asdict(outcome)
            state.end_job(connection, self._job["id"], **ending, has_model=has_model, now=time.time())

    def _attempt(self, do: Callable[[], object]) -> Outcome:
        try:
            do()
        except JobError as error:
            outcome = Outcome("Failed", reason=str(error))
        except Exception as error:  # noqa: BLE001 - any failure must become the job's FailureReason
            traceback.print_exc()
            outcome = Outcome("Failed", reason=f"InternalServerError: {type(error).__name__}: {error}")
        else:
            outcome = Outcome("Completed")
        return Outcome("Stopped", secondary=self._ended_as) if self._ended_as else outcome

    def _on_sigterm(self, _number: int, _frame: FrameType | None) -> None:
        self._end_early("Stopped")

    def _end_early(self, ended_as: str) -> None:
        """End the scripts, now or as soon as they are started. The first reason counts."""
        if self._ended_as is None:
            self._ended_as = ended_as
            self._scripts.terminate()

    def _train(self) -> None:
        if self._ended_as:
            return
        with self._store.write() as connection:
            state.enter_stage(connection, self._job["id"], "Downloading", "Downloading input data", time.time())
        check_buckets(self._store, self._request)
        with ReservedPort() as port:
            for host in hosts_of(self._request):
                self._hosts[host.name] = self._make(host, port.number)
                prepare_host(
                    self._store, self._hosts[host.name].placement, reserve_bytes=self._settings.disk_reserve_bytes
                )
            self._fetch_checkpoints()
            if self._begin():
                self._run_scripts()

    def _fetch_checkpoints(self) -> None:
        if config := self._request.get("CheckpointConfig"):
            folders = [host.placement.layout.checkpoints for host in self._hosts.values()]
            warn = partial(self._log_line, next(iter(self._hosts)))
            self._checkpoints = Checkpoints(self._store, config["S3Uri"], folders, warn=warn)
            self._checkpoints.fetch()

    def _make(self, host: Host, port: int) -> HostRun:
        layout = Layout.of(state.ml_of(self._store, self._job["name"], host.name), self._request)
        placement = Placement(self._request, self._job["arn"], self._settings.region, host, layout, port)
        stream = f"{self._job['name']}/{host.name}-{self._started}"
        return HostRun(placement, stream, warn=partial(self._log_line, host.name), connect=self._connect)

    def _connect(self) -> Any:
        """Return a client of SageMaker; most jobs need none, so that boto3 is imported only for those that do."""
        from mnist_tracking.embedded.engine import EmbeddedSageMaker

        engine = EmbeddedSageMaker(self._store.home, durability=self._store.durability, timing=self._settings.timing)
        return engine.session().client("sagemaker")

    def _begin(self) -> bool:
        """Record that the scripts start, unless a stop was requested."""
        with self._store.write() as connection:
            if self._ended_as or state.is_stopping(connection, self._job["id"]):
                self._end_early("Stopped")
                return False
            state.begin_training(connection, self._job["id"], time.time())
        self._has_begun = True
        return True

    def _run_scripts(self) -> None:
        limit_s = self._request["StoppingCondition"].get("MaxRuntimeInSeconds", _DAY_S)
        limit = threading.Timer(min(limit_s, threading.TIMEOUT_MAX), self._end_early, ["MaxRuntimeExceeded"])
        limit.daemon = True
        limit.start()
        try:
            for name, host in self._hosts.items():
                self._start(name, host)
            with (
                self._checkpoints.sent_every(self._settings.timing.checkpoint_interval_s)
                if self._checkpoints
                else nullcontext()
            ):
                failed = self._scripts.run(self._recorder())
        finally:
            limit.cancel()
            self._scripts.kill()
        for name, host in self._hosts.items():
            self._record(name, [], list(host.files.find(is_last=True)))
            host.updates.apply()
        if failed is not None:
            raise JobError(failure_reason(failed, state.REASON_LENGTH, is_alone=len(self._hosts) == 1))

    def _start(self, name: str, host: HostRun) -> None:
        for note in notes(host.placement):
            self._log_line(name, note)
        process, job = host.process(self._job["python"]), self._job["name"]
        lock = acquire_lock(script_lock(self._store, job, name))
        pid_file = script_pid(self._store, job, name)
        try:
            self._scripts.start(name, **process, lock=lock, pid_file=pid_file)
        except (OSError, ValueError) as error:
            raise JobError(f"AlgorithmError: {process['argv'][0]} cannot run the entry point: {error}") from error

    def _recorder(self) -> Callable[[str, Lines], None]:
        definitions = self._request["AlgorithmSpecification"].get("MetricDefinitions", [])
        limit_s = self._settings.timing.metric_regex_s
        log = LogMetrics(definitions, limit_s=limit_s, warn=partial(self._log_line, next(iter(self._hosts))))

        def on_lines(name: str, lines: Lines) -> None:
            self._leave_if_deleted()
            host = self._hosts[name]
            self._record(name, lines, [*log.find(lines), *host.files.find()])
            host.updates.apply()

        return on_lines

    def _leave_if_deleted(self) -> None:
        """Exit at once, with all scripts, when the job's folder has been deleted: nothing can be recorded."""
        if not self._folder.is_dir():
            raise SystemExit("The folder of this job was deleted.")

    def _log_line(self, host: str, line: str) -> None:
        self._record(host, [(time.time(), line)], [])

    def _record(self, host: str, lines: Lines, values: list[MetricValue]) -> None:
        if lines or values:
            with self._store.write() as connection:
                state.record(connection, self._job["id"], self._hosts[host].stream, lines, values)

    def _upload(self, outcome: Outcome) -> tuple[Outcome, bool]:
        """Upload the output of the scripts; return how the job ended, and whether it has a model."""
        if not self._has_begun:
            return outcome, False
        with self._store.write() as connection:
            message = "Uploading generated training model"
            state.enter_stage(connection, self._job["id"], "Uploading", message, time.time())
        has_succeeded = outcome.status != "Failed"
        try:
            if self._checkpoints:
                self._checkpoints.send()
            layouts = [host.placement.layout for host in self._hosts.values()]
            ml = self._folder / "ml"
            return outcome, upload_outputs(self._store, self._request, layouts, ml, with_model=has_succeeded)
        except Exception as error:  # noqa: BLE001 - as above
            traceback.print_exc()
            reason = f"ClientError: Artifact upload failed: {error}"
            return Outcome("Failed", reason=reason) if has_succeeded else outcome, False


def main(argv: list[str]) -> None:
    """Run one job; the inherited lock is held until this process ends."""
    home, name, _lock = argv
    settings = SupervisorSettings.read(state.job_folder(Path(home), name))
    store = Store(Path(home), durability=settings.durability, busy_timeout_s=settings.timing.database_busy_s)
    JobSupervisor(store, name, settings).run()
    store.close()


if __name__ == "__main__":
    main(sys.argv[1:])
