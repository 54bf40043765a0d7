"""
The process that sees one training job through, from its data to its model. Outlives whoever asked for the job.

``python -m mnist_tracking.embedded.jobs.supervisor HOME JOB LOCK_FD REGION GRACE_S``
"""

import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import attrs

from mnist_tracking.embedded import process_locks
from mnist_tracking.embedded.jobs import liveness, state
from mnist_tracking.embedded.jobs.environment import arguments, decode_hyperparameters, variables
from mnist_tracking.embedded.jobs.layout import HOST, Layout
from mnist_tracking.embedded.jobs.metrics import FileMetrics, Lines, LogMetrics, MetricValue
from mnist_tracking.embedded.jobs.script import Script, failure_reason
from mnist_tracking.embedded.jobs.transfers import JobError, download_inputs, upload_outputs
from mnist_tracking.embedded.jobs.updates import Updates
from mnist_tracking.embedded.store import Store

_NOT_INSTALLED = "requirements.txt is not installed here; the job's interpreter is used as it is."
_DAY_S = 86_400


@attrs.frozen
class Outcome:
    """How a job ended: its status, perhaps a more particular one, and why it failed."""

    status: str
    secondary: str | None = None
    reason: str | None = None


class Supervisor:
    """Sees one job through."""

    def __init__(self, store: Store, name: str, region: str, *, grace_s: float) -> None:
        with store.read() as connection:
            job = state.read_job(connection, name)
        if job is None:
            raise LookupError(f"no training job named {name!r}")
        self._store, self._job, self._region, self._grace_s = store, job, region, grace_s
        self._request = state.request_of(job)
        self._layout = Layout(state.folder_of(store, name) / "ml")
        self._stream = f"{job['name']}/{HOST}-{int(time.time())}"
        self._updates = Updates(self._layout.updates, home=store.home, warn=self._say)
        self._script: Script | None = None
        self._ended_as: str | None = None  # "Stopped" or "MaxRuntimeExceeded" once the script is to end early

    def run(self) -> None:
        """Run the job to its end and record how it ended."""
        signal.signal(signal.SIGTERM, self._on_sigterm)
        with self._store.write() as connection:
            state.register_supervisor(connection, self._job["id"], os.getpid())
            is_stopping = state.is_stopping(connection, self._job["id"])
        if is_stopping:  # asked before there was a process to signal
            self._end_early("Stopped")
        outcome, has_model = self._upload(self._attempt(self._train))
        shutil.rmtree(self._layout.base, ignore_errors=True)
        with self._store.write() as connection:
            if outcome.status == "Completed" and state.is_stopping(connection, self._job["id"]):
                outcome = Outcome("Stopped")  # asked while the model was uploaded
            ending = attrs.asdict(outcome)
            state.end_job(connection, self._job["id"], **ending, has_model=has_model, now=time.time())

    def _attempt(self, do: Callable[[], object]) -> Outcome:
        try:
            do()
        except JobError as error:
            outcome = Outcome("Failed", reason=str(error))
        except Exception as error:  # noqa: BLE001 - whatever breaks here must become the job's reason
            traceback.print_exc()
            outcome = Outcome("Failed", reason=f"InternalServerError: {type(error).__name__}: {error}")
        else:
            outcome = Outcome("Completed")
        return Outcome("Stopped", secondary=self._ended_as) if self._ended_as else outcome

    def _on_sigterm(self, _number: int, _frame: FrameType | None) -> None:
        self._end_early("Stopped")

    def _end_early(self, ended_as: str) -> None:
        """End the script, now or as soon as it has been started; the first reason to do so counts."""
        if self._ended_as is None:
            self._ended_as = ended_as
            self._terminate()

    def _terminate(self) -> None:
        if self._script is not None:
            self._script.signal(signal.Signals.SIGTERM)
            _after(self._grace_s, self._script.signal, signal.Signals.SIGKILL)

    def _train(self) -> None:
        if self._ended_as:
            return
        with self._store.write() as connection:
            state.enter_stage(connection, self._job["id"], "Downloading", "Downloading input data", time.time())
        self._layout.make(self._request)
        download_inputs(self._store, self._request, self._layout)
        if self._begin():
            self._run_script()

    def _begin(self) -> bool:
        """Record that the script starts, unless the job is to be stopped."""
        with self._store.write() as connection:
            if self._ended_as or state.is_stopping(connection, self._job["id"]):
                self._end_early("Stopped")
                return False
            state.begin_training(connection, self._job["id"], time.time())
        return True

    def _run_script(self) -> None:
        if (self._layout.code / "requirements.txt").is_file():
            self._say(_NOT_INSTALLED)
        script = self._script = self._start()
        if self._ended_as:  # asked while the script was being started
            self._terminate()
        limit_s = self._request["StoppingCondition"].get("MaxRuntimeInSeconds", _DAY_S)
        limit = _after(limit_s, self._end_early, "MaxRuntimeExceeded")
        files = FileMetrics(self._layout.metrics)
        try:
            exit_status = script.run(self._recorder(files))
        finally:
            limit.cancel()
            script.end()
        self._record([], list(files.find(is_last=True)))
        self._updates.apply()
        if exit_status:
            raise JobError(failure_reason(exit_status, list(script.stderr), script.argv, state.REASON_LENGTH))

    def _start(self) -> Script:
        hyperparameters = decode_hyperparameters(self._request["HyperParameters"])
        program, name = str(hyperparameters["sagemaker_program"]), self._job["name"]
        interpreter = ["/bin/sh", "-e"] if program.endswith(".sh") else [self._job["python"]]
        argv = [*interpreter, program, *arguments(hyperparameters)]
        env = variables(self._layout, self._request, self._job["arn"], self._region, program)
        lock = process_locks.take(liveness.script_lock(self._store, name))
        pid_file = liveness.script_pid(self._store, name)
        try:
            return Script(argv, cwd=self._layout.code, env=env, lock=lock, pid_file=pid_file)
        except (OSError, ValueError) as error:
            raise JobError(f"AlgorithmError: {interpreter[0]} cannot run the entry point: {error}") from error

    def _recorder(self, files: FileMetrics) -> Callable[[Lines], None]:
        log = LogMetrics(self._request["AlgorithmSpecification"].get("MetricDefinitions", []), warn=self._say)

        def on_lines(lines: Lines) -> None:
            self._leave_if_deleted()
            self._record(lines, [*log.find(lines), *files.find()])
            self._updates.apply()

        return on_lines

    def _leave_if_deleted(self) -> None:
        """End at once, script and all, when the job's folder is gone: nobody is left to record anything for."""
        if not self._layout.base.parent.is_dir():
            raise SystemExit("The folder of this job was deleted.")

    def _say(self, line: str) -> None:
        self._record([(time.time(), line)], [])

    def _record(self, lines: Lines, values: list[MetricValue]) -> None:
        if lines or values:
            with self._store.write() as connection:
                state.record(connection, self._job["id"], self._stream, lines, values)

    def _upload(self, outcome: Outcome) -> tuple[Outcome, bool]:
        """Upload what the script left; return how the job ended, and whether there is a model."""
        if self._script is None:
            return outcome, False
        with self._store.write() as connection:
            message = "Uploading generated training model"
            state.enter_stage(connection, self._job["id"], "Uploading", message, time.time())
        is_good = outcome.status != "Failed"
        try:
            return outcome, upload_outputs(self._store, self._request, self._layout, with_model=is_good)
        except Exception as error:  # noqa: BLE001 - as above
            traceback.print_exc()
            reason = f"ClientError: Artifact upload failed: {error}"
            return Outcome("Failed", reason=reason) if is_good else outcome, False


def _after(seconds: float, do: Callable[..., object], *args: object) -> threading.Timer:
    timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), do, args)
    timer.daemon = True
    timer.start()
    return timer


def main(argv: list[str]) -> None:
    """Run one job; the lock that was handed down is held until this process ends."""
    home, name, _lock, region, grace_s = argv
    store = Store(Path(home))
    Supervisor(store, name, region, grace_s=float(grace_s)).run()
    store.close()


if __name__ == "__main__":
    main(sys.argv[1:])
