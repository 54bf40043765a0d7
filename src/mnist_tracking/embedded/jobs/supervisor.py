"""
The process that runs one training job, from its data to its model. It outlives the process that created the job.

Its `main` is called below a guard, see `supervision`. The job's folder holds its settings.
"""

import contextlib
import os
import sqlite3
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from mnist_tracking._values.metric_lines import NOTE, LogSearch
from mnist_tracking.embedded.disk import delete_all, described, is_disk_full, is_nearly_full, leads_elsewhere
from mnist_tracking.embedded.jobs import state
from mnist_tracking.embedded.jobs.checkpoints import Checkpoints
from mnist_tracking.embedded.jobs.component_updates import ComponentUpdates
from mnist_tracking.embedded.jobs.container import Layout, Placement, variables
from mnist_tracking.embedded.jobs.ending import EndedEarly, Ending
from mnist_tracking.embedded.jobs.environment import create_environment, variables_of
from mnist_tracking.embedded.jobs.failure import failure_reason, written_reason
from mnist_tracking.embedded.jobs.fixed_paths import failure_note, loss_notes
from mnist_tracking.embedded.jobs.hosts import Host, ReservedPort, hosts_of
from mnist_tracking.embedded.jobs.journal import Journal
from mnist_tracking.embedded.jobs.launcher import recover_lost_jobs
from mnist_tracking.embedded.jobs.metric_values import FileMetrics, Lines, MetricValue, log_values
from mnist_tracking.embedded.jobs.resources import Machine, by_host, free_gpus
from mnist_tracking.embedded.jobs.scripts import Script, ScriptGroup, command, notes
from mnist_tracking.embedded.jobs.transfers import JobError, check_buckets, prepare_host, upload_outputs
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.supervision import SupervisorSettings


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
        own = create_environment(python, placement.layout.environment)
        env = variables(placement, variables_of(own) if own else {"PIP_TARGET": str(placement.layout.code)})
        return {"argv": command(placement, own or python), "cwd": placement.layout.code, "env": env}


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
        self._store, self._job, self._settings, self._timing = store, job, settings, settings.timing
        self._request = state.request_of(job)
        self._folder = state.job_folder(store.home, name)
        self._scripts = ScriptGroup(self._timing, now=settings.now)
        self._ending = Ending(self._scripts.terminate)
        retry_s = self._timing.full_disk_poll_s
        self._journal = Journal(store, job["id"], retry_s=retry_s, check=self._leave_if_deleted)
        self._hosts: dict[str, HostRun] = {}
        definitions = self._request["AlgorithmSpecification"].get("MetricDefinitions", [])
        self._search = LogSearch({definition["Name"]: definition["Regex"] for definition in definitions})
        self._started = int(settings.now())
        self._checkpoints: Checkpoints | None = None
        self._gpus: Mapping[str, tuple[str, ...]] = {}
        self._has_begun = False
        self._logged: set[str] = set()

    def run(self) -> None:
        """Run the job and record how it ended. Its files are deleted first: they may be what fills the disk."""
        if self._journal.write(_register):  # a stop was requested before there was a process to signal
            self._ending.stop()
        outcome, has_model = self._upload(self._attempt(self._train))
        delete_all(self._folder / "ml", self._store.home)
        self._journal.write(partial(_record_outcome, outcome, has_model, self._settings.now))

    def _attempt(self, do: Callable[[], object]) -> Outcome:
        try:
            do()
        except EndedEarly:
            outcome = Outcome("Stopped")
        except JobError as error:
            outcome = Outcome("Failed", reason=str(error))
        except Exception as error:  # noqa: BLE001 - any failure must become the job's FailureReason
            _log_exception()
            outcome = Outcome("Failed", reason=f"InternalServerError: {type(error).__name__}: {described(error)}")
        else:
            outcome = Outcome("Completed")
        return Outcome("Stopped", secondary=self._ending.reason) if self._ending.reason else outcome

    def _train(self) -> None:
        if self._ending.reason:
            return
        self._take_instances()
        self._ending.limit(self._request["StoppingCondition"].get("MaxRuntimeInSeconds", state.DEFAULT_RUNTIME_S))
        check_buckets(self._store, self._request)
        with ReservedPort() as port:
            with self._ending.interruptible():
                for host in hosts_of(self._request):
                    self._hosts[host.name] = self._make(host, port.number)
                    placement = self._hosts[host.name].placement
                    prepare_host(self._store, placement, reserve_bytes=self._settings.disk_reserve_bytes)
                self._fetch_checkpoints()
            if self._begin():
                self._run_scripts()

    def _take_instances(self) -> None:
        """Wait until the job may run and its GPUs are free."""
        machine, wanted = self._settings.machine, self._settings.machine.wanted(self._request)
        count = sum(wanted.values())
        if not count and machine.max_jobs is None:
            self._journal.add(partial(state.begin_downloading, now=self._settings.now()))
            return
        with self._ending.interruptible():
            for pause_s in self._pauses():
                gpus = self._journal.write(partial(_begin_if_free, self._settings.now, machine, count))
                if gpus is not None:
                    self._gpus = by_host(gpus, wanted)
                    return
                time.sleep(pause_s)
                recover_lost_jobs(self._store, self._settings.now())  # what they had is free

    def _pauses(self) -> Iterator[float]:
        """Yield the pauses of a job that waits, which is shown as pending after the first attempt."""
        yield 0.0
        message = "Waiting for GPUs or for other jobs to end"
        self._journal.add(partial(state.enter_stage, status="Pending", message=message, now=self._settings.now()))
        pause_s = self._timing.slot_poll_s
        while True:
            yield pause_s
            pause_s = min(pause_s * 1.3, self._timing.longest_slot_poll_s)

    def _fetch_checkpoints(self) -> None:
        if config := self._request.get("CheckpointConfig"):
            folders = [host.placement.layout.checkpoints for host in self._hosts.values()]
            self._checkpoints = Checkpoints(self._store, config["S3Uri"], folders, warn=self._log_once)
            self._checkpoints.fetch()

    def _make(self, host: Host, port: int) -> HostRun:
        layout = Layout.of(state.ml_of(self._store, self._job["name"], host.name), self._request)
        threads = self._settings.machine.threads(len(hosts_of(self._request)))
        placement = Placement(
            self._request,
            self._job["arn"],
            self._settings.region,
            host,
            layout,
            port,
            gpus=self._gpus.get(host.name, ()),
            threads=threads,
        )
        stream = f"{self._job['name']}/{host.name}-{self._started}"
        return HostRun(placement, stream, warn=partial(self._log_line, host.name), connect=self._connect)

    def _connect(self) -> Any:
        """Return a client of SageMaker; most jobs need none, so that boto3 is imported only for those that do."""
        from mnist_tracking.embedded.engine import EmbeddedSageMaker

        engine = EmbeddedSageMaker(self._store.home, durability=self._store.durability, timing=self._settings.timing)
        return engine.session().client("sagemaker")

    def _begin(self) -> bool:
        """Record that the scripts start, unless a stop was requested."""
        with self._ending.interruptible():
            self._has_begun = self._journal.write(partial(_begin_unless_stopping, self._settings.now))
        if not self._has_begun:
            self._ending.stop()
        return self._has_begun

    def _run_scripts(self) -> None:
        try:
            for name, host in self._hosts.items():
                self._start(name, host)
            with self._checkpoints_sent():
                failed = self._scripts.run(self._on_lines)
        finally:
            self._scripts.leave_nothing()
        for name, host in self._hosts.items():
            self._record(name, [], list(host.files.find(is_last=True)))
            host.updates.apply(is_last=True)
        for text in self._search.dropped.values():
            self._log_line(next(iter(self._hosts)), f"{NOTE}{text}")
        if failed is not None:
            raise JobError(self._reason(failed))

    def _reason(self, failed: Script) -> str:
        """Return why a script failed, and log what to do about a path of SageMaker's containers in it."""
        if note := failure_note([*failed.errors.found, *failed.output.found]):
            self._log_line(failed.host, f"{NOTE}{note}")
        written = written_reason(self._hosts[failed.host].placement.layout.output / "failure", state.REASON_LENGTH)
        where = "" if len(self._hosts) == 1 else f" on {failed.host}"
        disk = " (disk full)" if is_nearly_full(self._folder) else ""
        status, most = failed.exit_status or 0, state.REASON_LENGTH
        return written or failure_reason(
            failed.argv, status, failed.output, failed.errors, most=most, where=f"{where}{disk}"
        )

    def _checkpoints_sent(self) -> AbstractContextManager[None]:
        every_s = self._timing.checkpoint_interval_s
        return self._checkpoints.sent_every(every_s) if self._checkpoints else nullcontext()

    def _start(self, name: str, host: HostRun) -> None:
        for note in notes(host.placement):
            self._log_line(name, note)
        process = host.process(self._job["python"])
        try:
            self._scripts.start(name, **process)
        except (OSError, ValueError) as error:
            raise JobError(f"AlgorithmError: {process['argv'][0]} cannot run the entry point: {error}") from error

    def _on_lines(self, name: str, lines: Lines) -> None:
        self._leave_if_deleted()
        host = self._hosts[name]
        self._record(name, lines, [*log_values(self._search, lines), *host.files.find()])
        host.updates.apply()

    def _leave_if_deleted(self) -> None:
        """Exit at once, with all scripts, when the job's folders are gone: nothing can be recorded."""
        folders = [self._folder, *(host.placement.layout.base for host in self._hosts.values())]
        if not self._folder.is_dir() or any(leads_elsewhere(folder, self._store.home) for folder in folders):
            raise SystemExit("The folder of this job was deleted or replaced by a link.")

    def _log_line(self, host: str, line: str) -> None:
        self._record(host, [(self._settings.now(), line)], [])

    def _record(self, host: str, lines: Lines, values: list[MetricValue]) -> None:
        self._journal.record(self._hosts[host].stream, lines, values)

    def _upload(self, outcome: Outcome) -> tuple[Outcome, bool]:
        """Upload the output of the scripts; return how the job ended, and whether it has a model."""
        if not self._has_begun:
            return outcome, False
        message = "Uploading generated training model"
        self._journal.add(partial(state.enter_stage, status="Uploading", message=message, now=self._settings.now()))
        has_succeeded = outcome.status != "Failed"
        try:
            with self._ending.interruptible(grace_s=self._timing.stopped_upload_s):
                return outcome, self._send_when_there_is_room(with_model=has_succeeded)
        except EndedEarly:
            self._log_line(
                next(iter(self._hosts)), "The upload took too long after the job had to end; it was given up."
            )
            return Outcome("Stopped", secondary=self._ending.reason) if has_succeeded else outcome, False
        except Exception as error:  # noqa: BLE001 - as above
            _log_exception()
            reason = f"ClientError: Artifact upload failed: {described(error)}"
            return Outcome("Failed", reason=reason) if has_succeeded else outcome, False

    def _send_when_there_is_room(self, *, with_model: bool) -> bool:
        """Upload the output; if the job has trained, wait for room on a full disk, which others may free."""
        deadline = time.monotonic() + (self._timing.full_disk_s if with_model else 0)
        pause_s = self._timing.full_disk_poll_s
        while True:
            try:
                return self._send(with_model=with_model)
            except (OSError, sqlite3.Error) as error:
                if not is_disk_full(error) or time.monotonic() + pause_s > deadline:
                    raise
            time.sleep(pause_s)
            pause_s *= 2  # each attempt packs everything again

    def _send(self, *, with_model: bool) -> bool:
        if self._checkpoints:
            self._checkpoints.send()
        layouts = [host.placement.layout for host in self._hosts.values()]
        folder, say = self._folder / "ml", self._log_once
        for note in loss_notes(self._started):
            say(note)
        return upload_outputs(self._store, self._request, layouts, folder, with_model=with_model, say=say)

    def _log_once(self, line: str) -> None:
        """Log a line, unless an earlier attempt to upload has logged it."""
        if line not in self._logged:
            self._logged.add(line)
            self._log_line(next(iter(self._hosts)), f"{NOTE}{line}")


def _register(connection: sqlite3.Connection, job_id: int) -> bool:
    """Record this process; return whether the job has been requested to stop already."""
    state.register_supervisor(connection, job_id, os.getpid())
    return state.is_stopping(connection, job_id)


def _begin_if_free(
    now: Callable[[], float], machine: Machine, count: int, connection: sqlite3.Connection, job_id: int
) -> tuple[str, ...] | None:
    gpus = free_gpus(connection, job_id, machine, count)
    if gpus is not None:
        state.begin_downloading(connection, job_id, now(), gpus)
    return gpus


def _begin_unless_stopping(now: Callable[[], float], connection: sqlite3.Connection, job_id: int) -> bool:
    is_stopping = state.is_stopping(connection, job_id)
    if not is_stopping:
        state.begin_training(connection, job_id, now())
    return not is_stopping


def _record_outcome(
    outcome: Outcome, has_model: bool, now: Callable[[], float], connection: sqlite3.Connection, job_id: int
) -> None:
    if outcome.status == "Completed" and state.is_stopping(connection, job_id):
        outcome = Outcome("Stopped")  # requested while the model was uploaded
    state.end_job(connection, job_id, **attrs.asdict(outcome), has_model=has_model, now=now())


def _log_exception() -> None:
    with contextlib.suppress(OSError):  # the disk may be full
        traceback.print_exc()


def main(argv: list[str]) -> None:
    """Run one job: HOME JOB LOCK_FD. The inherited lock is held until this process ends."""
    home, name, _lock = argv
    settings = SupervisorSettings.read(state.job_folder(Path(home), name))
    store = Store(Path(home), durability=settings.durability, busy_timeout_s=settings.timing.database_busy_s)
    JobSupervisor(store, name, settings).run()
    store.close()
