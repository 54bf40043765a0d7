"""The steps of the reference workflow, in order."""

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
from mnist_tracking.cli.demo.options import Options, Timings
from mnist_tracking.cli.demo.report import PAGE, Files, Report, say
from mnist_tracking.cli.options import Settings
from mnist_tracking.errors import DatasetError, MnistTrackingError, StateError
from mnist_tracking.mnist.datasets import Dataset, find_mnist, load_images, load_labels

__all__ = ["Demo"]

_DESCRIPTION = "MNIST handwritten digits classification"
_SIDE = (28, 28)  # what the endpoint takes
_SENT = 1000


class Demo:
    """
    One run of the demo.

    Args:
        settings: The global options.
        options: The demo's own.
        timings: How long the phases take.
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
        self._endpoint: Endpoint | None = None

    def run(self) -> None:
        """Run all steps. Nothing is left running, even if they end early."""
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
        self._deploy(workspace, board)
        self._trace(runner, board, files)
        self._predict(dataset, files)
        with self._phase("report"):
            files.page(board)
        self._finish(runner)
        files.timings(self._timings.summary())
        self._report.say(f"\nTime: {self._timings}")
        self._report.say(f"Results: {files.folder}; open {files.folder / PAGE} in a browser")
        return board

    def _find_data(self) -> Dataset:
        asked = self._options.data_dir is not None
        with self._notes.status("Looking for MNIST") as status:

            def on_progress(name: str, done: int, total: int | None) -> None:
                status.update(f"Downloading {name}: {done / 1e6:.1f} MB")
                if done == total:
                    self._note(f"Downloaded {name}, {done / 1e6:.1f} MB")

            dataset = find_mnist(
                self._options.data_dir, require_mnist=asked, fallback=not asked, on_progress=on_progress
            )
        if dataset.image_shape != _SIDE:
            height, width = dataset.image_shape
            raise DatasetError(
                f"{str(dataset.directory)!r} holds images of {height}x{width} pixels; the demo needs 28x28."
            )
        self._report.say(f"Data: {dataset.describe()}")
        return dataset

    def _open(self) -> Workspace:
        workspace = self._settings.workspace()
        self._note(f"{self._settings.describe(workspace)}, experiment {self._name}")
        _ = workspace.sagemaker_session  # the SDK's import takes a second, which is no part of the training
        return workspace

    def _train(self, runner: ExperimentRunner, files: Files) -> Leaderboard:
        space = {"hidden_channels": list(self._options.channels)}
        sweep = HyperparameterSweep(runner, space, max_parallel=self._options.max_parallel)
        with self._phase("training"):
            board = sweep.run(progress=True)
        with self._phase("compare"):
            files.leaderboard(board)
            self._report.leaderboard(board)
        if all(trial.status != "Completed" for trial in board):
            _refuse_failures(board)  # nothing to draw or deploy
        with self._phase("plots"):
            files.plots(board)
        return board

    def _trace(self, runner: ExperimentRunner, board: Leaderboard, files: Files) -> None:
        with self._phase("trace"):
            lineage = LineageTracer(runner.workspace).trace(board.best)
            files.lineage(lineage)
            self._report.lineage(lineage, runner.prefix)

    def _deploy(self, workspace: Workspace, board: Leaderboard) -> None:
        with self._phase("deploy"):
            self._endpoint = BestModelDeployer(workspace).deploy(board)

    def _predict(self, dataset: Dataset, files: Files) -> None:
        assert self._endpoint is not None  # noqa: S101 - deployed just before
        images, labels = load_images(dataset, "test")[:_SENT], load_labels(dataset, "test")[:_SENT]
        with self._phase("predict"):
            predictions = self._endpoint.predict(images)
        self._report.predictions(self._endpoint.name, labels, predictions)
        with self._phase("plots"):
            files.predictions(images, labels, predictions)

    def _finish(self, runner: ExperimentRunner) -> None:
        if self._options.keep:
            self._report.say(
                f"\nKept: {self._kept(with_endpoint=True)}\nTo delete everything: {self._removal()}", wrap=False
            )
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
        """Stop everything, delete what was created unless --keep, and return what is left, in one line."""
        self._note("Stopping the jobs and the endpoint ...")
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
            return f"The cleanup ended early ({reason}). Left: {self._left(with_endpoint=True)}"
        deleted, *_ = str(report).splitlines()
        left = [f"{', '.join(files.written)} in {files.folder}"] if files.written else []
        if jobs := sum(kind == "training job" for kind, _, _ in report.kept):
            left.append(f"the records of {jobs} training job{'s' * (jobs > 1)}, which cannot be deleted")
        return f"Jobs and endpoint are stopped; {deleted}. Left: {' and '.join(left) or 'nothing'}."

    def _left(self, *, with_endpoint: bool) -> str:
        return f"{self._kept(with_endpoint=with_endpoint)}; to delete everything: {self._removal()}"

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
        detail = f"{first.name} is {first.status}. {' '.join(first.failure_reason.split())}".rstrip(" .")
        raise StateError(
            "experiment", board.experiment_name, "no-model", f"has {len(failed)} trial(s) without a model: {detail}"
        )
