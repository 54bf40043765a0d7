"""
The process that sees one training job through, from its data to its model. Outlives whoever asked for the job.

``python -m mnist_tracking.embedded.jobs.supervisor HOME JOB LOCK_FD REGION``
"""

import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from mnist_tracking.embedded import process_locks
from mnist_tracking.embedded.archives import pack, unpack
from mnist_tracking.embedded.jobs import state
from mnist_tracking.embedded.jobs.component import model_uri
from mnist_tracking.embedded.jobs.environment import arguments, decode_hyperparameters, variables
from mnist_tracking.embedded.jobs.layout import HOST, Layout, download, split_uri
from mnist_tracking.embedded.jobs.metrics import FileMetrics, LogMetrics
from mnist_tracking.embedded.jobs.script import Lines, Script
from mnist_tracking.embedded.store import Store
from mnist_tracking.embedded.store.objects import put_object

_GRACE_S = 120.0  # between SIGTERM and SIGKILL, as StopTrainingJob documents it
_REASON_LENGTH = 1024


class JobError(Exception):
    """The job cannot go on; the message is its FailureReason."""


class Supervisor:
    """Sees one job through."""

    def __init__(self, store: Store, name: str, region: str) -> None:
        self._store = store
        self._region = region
        with store.read() as connection:
            job = state.read_job(connection, name)
        if job is None:
            raise LookupError(f"no training job named {name!r}")
        self._job = job
        self._request = state.request_of(job)
        self._layout = Layout(state.folder_of(store, name) / "ml")
        self._stream = f"{name}/{HOST}-{int(time.time())}"
        self._script: Script | None = None
        self._stopped: str | None = None

    def run(self) -> None:
        """Run the job to its end and record how it ended."""
        signal.signal(signal.SIGTERM, self._on_stop)
        status, reason = "Completed", None
        try:
            self._prepare()
            self._train()
        except JobError as error:
            status, reason = "Failed", str(error)
        except Exception as error:  # noqa: BLE001 - whatever breaks here must become the job's reason
            status, reason = "Failed", f"InternalServerError: {type(error).__name__}: {error}"
        if self._stopped is not None:
            status, reason = self._stopped, None
        has_model = status != "Failed" and self._upload()
        with self._store.write() as connection:
            state.end_job(connection, self._job, status=status, reason=reason, has_model=has_model, now=time.time())

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop("Stopped")

    def _stop(self, status: str) -> None:
        self._stopped = status
        if self._script is not None:
            self._script.signal(signal.SIGTERM)
            killer = threading.Timer(_GRACE_S, self._script.signal, [signal.SIGKILL])
            killer.daemon = True
            killer.start()

    def _stage(self, status: str, message: str) -> None:
        with self._store.write() as connection:
            state.enter_stage(connection, self._job["id"], status, message, time.time())

    def _prepare(self) -> None:
        self._stage("Downloading", "Downloading input data")
        self._layout.make(self._request)
        for channel in self._request.get("InputDataConfig", []):
            uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
            if not download(self._store, uri, self._layout.channel(channel["ChannelName"])):
                raise JobError(f"ClientError: Data download failed: no S3 objects found under the prefix {uri}.")
        checkpoints = self._request.get("CheckpointConfig", {}).get("S3Uri")
        if checkpoints:
            download(self._store, checkpoints, self._layout.checkpoints)
        self._unpack_code()

    def _unpack_code(self) -> None:
        hyperparameters = decode_hyperparameters(self._request.get("HyperParameters", {}))
        uri = hyperparameters.get("sagemaker_submit_directory")
        if not uri or "sagemaker_program" not in hyperparameters:
            raise JobError("ClientError: no script: sagemaker_program and sagemaker_submit_directory are not given.")
        archive = self._layout.base / "source"
        if not download(self._store, str(uri), archive):
            raise JobError(f"ClientError: the source archive {uri} does not exist.")
        try:
            unpack(next(archive.iterdir()), self._layout.code)
        except ValueError as error:
            raise JobError(f"ClientError: {error}") from error

    def _train(self) -> None:
        if self._stopped:
            return
        hyperparameters = decode_hyperparameters(self._request["HyperParameters"])
        program = str(hyperparameters["sagemaker_program"])
        if not (self._layout.code / program).is_file():
            raise JobError(f"AlgorithmError: the entry point {program!r} is not in the source archive.")
        now = time.time()
        with self._store.write() as connection:
            state.enter_stage(connection, self._job["id"], "Training", "Training in progress.", now)
            state.begin_training(connection, self._job, now)
        interpreter = ["/bin/sh", "-e"] if program.endswith(".sh") else [self._job["python"]]
        argv = [*interpreter, program, *arguments(hyperparameters)]
        env = variables(self._layout, self._request, self._job["arn"], self._region, program)
        name = self._job["name"]
        lock = process_locks.take(state.script_lock(self._store, name))
        folder = state.folder_of(self._store, name)
        self._script = Script(argv, cwd=self._layout.code, env=env, lock=lock, pid_file=folder / "script.pid")
        self._note_requirements()
        limit = self._start_time_limit()
        exit_status = self._script.run(self._recorder())
        limit.cancel()
        if exit_status and not self._stopped:
            raise JobError(failure_reason(exit_status, list(self._script.stderr), argv))

    def _note_requirements(self) -> None:
        if (self._layout.code / "requirements.txt").is_file():
            note = "requirements.txt is not installed here; the job's interpreter is used as it is."
            self._record([(time.time(), note)], None, None)

    def _start_time_limit(self) -> threading.Timer:
        seconds = self._request["StoppingCondition"].get("MaxRuntimeInSeconds", 86_400)
        limit = threading.Timer(seconds, self._stop, ["Stopped"])
        limit.daemon = True
        limit.start()
        return limit

    def _recorder(self) -> Callable[[Lines], None]:
        definitions = self._request["AlgorithmSpecification"].get("MetricDefinitions", [])
        in_log, in_files = LogMetrics(definitions), FileMetrics(self._layout.metrics)
        return lambda lines: self._record(lines, in_log, in_files)

    def _record(self, lines: Lines, in_log: LogMetrics | None, in_files: FileMetrics | None) -> None:
        values = [value for _, line in lines for value in in_log.find(line)] if in_log else []
        values += in_files.find() if in_files else []
        if lines or values:
            with self._store.write() as connection:
                state.record(connection, self._job, self._stream, lines, values)

    def _upload(self) -> bool:
        """Upload what the script left, and return whether there is a model."""
        self._stage("Uploading", "Uploading generated training model")
        uri = model_uri(self._request)
        if any(self._layout.output_data.iterdir()):
            self._upload_folder(self._layout.output_data, uri.replace("model.tar.gz", "output.tar.gz"))
        self._upload_checkpoints()
        if not any(self._layout.model.iterdir()):
            return False
        self._upload_folder(self._layout.model, uri)
        return True

    def _upload_folder(self, folder: Path, uri: str) -> None:
        archive = self._layout.base / uri.rsplit("/", 1)[1]
        pack(folder, archive)
        self._upload_file(archive, uri)

    def _upload_file(self, path: Path, uri: str) -> None:
        bucket, key = split_uri(uri)
        with path.open("rb") as body:
            put_object(self._store, bucket, key, body, time.time())

    def _upload_checkpoints(self) -> None:
        uri = self._request.get("CheckpointConfig", {}).get("S3Uri")
        if uri:
            for path in sorted(p for p in self._layout.checkpoints.rglob("*") if p.is_file()):
                self._upload_file(path, f"{uri.rstrip('/')}/{path.relative_to(self._layout.checkpoints).as_posix()}")


def failure_reason(exit_status: int, stderr: list[str], argv: list[str]) -> str:
    """Say why a script failed, as the service does: at most 1024 characters, the end of the traceback kept."""
    code = f"{exit_status}" if exit_status > 0 else f"{exit_status} (killed by {signal.Signals(-exit_status).name})"
    head = f'AlgorithmError: ExecuteUserScriptError:\nExitCode {code}\nErrorMessage "'
    tail = f'"\nCommand "{" ".join(argv)[:200]}", exit code: 1'
    room = _REASON_LENGTH - len(head) - len(tail)
    return head + "\n".join(stderr)[-room:] + tail


def main(argv: list[str]) -> None:
    """Run one job; the lock that was handed down is held until this process ends."""
    import shutil

    home, name, _lock, region = argv
    store = Store(Path(home))
    supervisor = Supervisor(store, name, region)
    supervisor.run()
    shutil.rmtree(state.folder_of(store, name) / "ml", ignore_errors=True)
    store.close()


if __name__ == "__main__":
    main(sys.argv[1:])
