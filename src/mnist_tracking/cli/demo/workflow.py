"""The nine steps of the reference workflow, in order."""

import secrets
import shlex
from collections.abc import Iterator
from contextlib import closing, contextmanager

from rich.console import Console

from mnist_tracking import (
    BestModelDeployer,
    Endpoint,
    ExperimentRunner,
    HyperparameterSweep,
    Leaderboard,
    LineageTracer,
    Workspace,
    mnist_job,
)
from mnist_tracking.cli import interrupts
from mnist_tracking.cli.demo.files import Files
from mnist_tracking.cli.demo.live import TrialsView
from mnist_tracking.cli.demo.options import Options
from mnist_tracking.cli.demo.report import Report, channels_of, say
from mnist_tracking.cli.demo.timings import Timings
from mnist_tracking.cli.settings import Settings
from mnist_tracking.errors import DatasetError, MnistTrackingError, StateError
from mnist_tracking.mnist.datasets import Dataset, find_mnist, load_images, load_labels

__all__ = ["Demo"]

_DESCRIPTION = "MNIST handwritten digits classification"
_SIDE = (28, 28)  # what the endpoint takes
_ASKED = 1000
_DRAWN = 10


class Demo:
    """
    One run of the demo.

    Args:
        settings: The global options.
        options: The demo's own.
        timings: Where the time goes.
    """

    def __init__(self, settings: Settings, options: Options, timings: Timings) -> None:
        self._settings = settings
        self._options = options
        self._timings = timings
        self._notes = Console(stderr=True)
        self._report = Report(Console())
        self._name = f"mnist-demo-{secrets.token_hex(4)}"
        self._job = mnist_job(
            recipe="reference", epochs=options.epochs, backend="gloo", dropout=0.2, kernel_size=5, optimizer="sgd"
        )
        self._view = TrialsView(self._notes, self._job.metrics, channels=options.channels, epochs=options.epochs)
        self._endpoint: Endpoint | None = None

    def run(self) -> None:
        """Run all steps. Whatever ends them early, nothing is left running."""
        for channels in self._options.channels:
            self._job.merged({"hidden_channels": channels})
        files = Files(self._options.out)
        try:
            with self._phase("data"):
                dataset = self._find_data()
            with self._phase("import"):
                workspace = self._open()
            with closing(workspace), self._never_left_running(workspace, files):
                board = self._workflow(workspace, dataset, files)
        finally:
            files.forget_if_empty()
        _refuse_failures(board)

    def _workflow(self, workspace: Workspace, dataset: Dataset, files: Files) -> Leaderboard:
        with self._phase("data"):
            runner = ExperimentRunner(workspace, self._name, description=_DESCRIPTION, job=self._job)
            runner.prepare_dataset(dataset)
        board = self._train(runner, files)
        self._trace(runner, board, files)
        self._deploy(workspace, board)
        self._ask(dataset, files)
        self._finish(runner)
        files.timings(self._timings.summary())
        self._report.say(f"\nTime: {self._timings}")
        self._report.say(f"Results: {files.folder}")
        return board

    def _find_data(self) -> Dataset:
        asked = self._options.data_dir is not None
        with self._notes.status("Looking for MNIST") as status:

            def on_progress(name: str, done: int, total: int | None) -> None:
                status.update(f"Downloading {name}: {done / 1e6:.1f} MB")
                if done == total:
                    self._note(f"downloaded {name}, {done / 1e6:.1f} MB")

            dataset = find_mnist(
                self._options.data_dir, require_mnist=asked, fallback=not asked, on_progress=on_progress
            )
        if dataset.image_shape != _SIDE:
            height, width = dataset.image_shape
            raise DatasetError(
                f"{str(dataset.directory)!r} holds images of {height}x{width} pixels; the demo takes 28x28."
            )
        self._report.say(f"Data: {dataset.describe()}")
        return dataset

    def _open(self) -> Workspace:
        workspace = self._settings.workspace()
        self._note(f"{self._settings.where(workspace)}, experiment {self._name}")
        _ = workspace.sagemaker_session  # the SDK's import takes a second, which is no part of the training
        return workspace

    def _train(self, runner: ExperimentRunner, files: Files) -> Leaderboard:
        space = {"hidden_channels": list(self._options.channels)}
        sweep = HyperparameterSweep(runner, space, max_parallel=self._options.max_parallel)
        with self._phase("training"), self._view as view:
            board = sweep.run(observer=view)
        with self._phase("compare"):
            files.leaderboard(board)
            self._report.leaderboard(board)
        if all(trial.status != "Completed" for trial in board):
            _refuse_failures(board)  # there is nothing to draw or deploy
        with self._phase("plots"):
            scored = [trial for trial in board if "test:accuracy" in trial.metrics]
            files.accuracy([(channels_of(t), t.metrics["test:accuracy"].last) for t in scored], view.curves)
        return board

    def _trace(self, runner: ExperimentRunner, board: Leaderboard, files: Files) -> None:
        with self._phase("trace"):
            lineage = LineageTracer(runner.workspace).trace(min(board, key=channels_of))
            files.lineage(lineage)
            self._report.lineage(lineage, runner.prefix)

    def _deploy(self, workspace: Workspace, board: Leaderboard) -> None:
        with self._phase("deploy"):
            self._endpoint = BestModelDeployer(workspace).deploy(board)

    def _ask(self, dataset: Dataset, files: Files) -> None:
        assert self._endpoint is not None  # noqa: S101 - deployed just before
        images, labels = load_images(dataset, "test")[:_ASKED], load_labels(dataset, "test")[:_ASKED]
        with self._phase("predict"):
            answers = self._endpoint.predict(images)
        self._report.answers(self._endpoint.name, labels, answers)
        with self._phase("plots"):
            files.digits(images[:_DRAWN], labels[:_DRAWN], answers[:_DRAWN])

    def _finish(self, runner: ExperimentRunner) -> None:
        if self._options.keep:
            self._report.say(f"\nKept: {self._kept(with_endpoint=True)}\nTo remove all: {self._removal()}", wrap=False)
            return
        with self._phase("cleanup"):
            report = runner.cleanup()
        self._report.say(f"\nCleanup: {report}")

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        interrupts.check()
        with self._timings.phase(name):
            yield

    @contextmanager
    def _never_left_running(self, workspace: Workspace, files: Files) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt:
            raise KeyboardInterrupt(self._abandon(workspace, files)) from None
        except BaseException:
            say(self._notes, self._abandon(workspace, files), wrap=False)
            raise

    def _abandon(self, workspace: Workspace, files: Files) -> str:
        """Stop what runs, remove what was made unless --keep, and say in one line what is left."""
        self._note("stopping the jobs and the endpoint ...")
        try:
            if self._options.keep:
                if self._endpoint is not None:
                    self._endpoint.delete()
                return f"Jobs and endpoint are stopped. Left: {self._left(with_endpoint=False)}"
            report = ExperimentRunner(workspace, self._name).cleanup()
            for _, _, error in report.failed:
                raise error
        except (KeyboardInterrupt, MnistTrackingError) as error:
            reason = str(error) or "interrupted again"
            return f"Cleaning up ended early ({reason}). Left: {self._left(with_endpoint=True)}"
        deleted, *_ = str(report).splitlines()
        left = [f"{', '.join(files.written)} in {files.folder}"] if files.written else []
        if jobs := self._view.job_count:
            left.append(f"the records of {jobs} training job{'s' * (jobs > 1)}, which cannot be deleted")
        return f"Jobs and endpoint are stopped; {deleted}. Left: {' and '.join(left) or 'nothing'}."

    def _left(self, *, with_endpoint: bool) -> str:
        return f"{self._kept(with_endpoint=with_endpoint)}; to remove all: {self._removal()}"

    def _kept(self, *, with_endpoint: bool) -> str:
        endpoint = f" and endpoint {self._endpoint.name}" if with_endpoint and self._endpoint else ""
        return f"experiment {self._name}{endpoint}"

    def _removal(self) -> str:
        return shlex.join(self._settings.cleanup_command(self._name))

    def _note(self, text: str) -> None:
        say(self._notes, text)


def _refuse_failures(board: Leaderboard) -> None:
    failed = [trial for trial in board if trial.status != "Completed"]
    if failed:
        first = failed[0]
        told = f"{first.name} is {first.status}. {' '.join(first.failure_reason.split())}".rstrip(" .")
        raise StateError(
            "experiment", board.experiment_name, "no-model", f"has {len(failed)} trial(s) without a model: {told}"
        )
