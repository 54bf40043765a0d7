"""The nine steps of the reference workflow, in order."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
from rich.console import Console

from mnist_tracking import (
    BestModelDeployer,
    ExperimentRunner,
    HyperparameterSweep,
    Leaderboard,
    LineageTracer,
    TrialResult,
    Workspace,
    mnist_job,
)
from mnist_tracking.cli.demo.live import TrialsView
from mnist_tracking.cli.demo.timings import Timings
from mnist_tracking.datasets import Dataset, find_mnist, load_images, load_labels
from mnist_tracking.plots import plot_accuracy, plot_digits

_ASKED = 1000
_SHOWN = 10


@attrs.frozen(kw_only=True)
class Options:
    """What the command line asks for."""

    epochs: int
    channels: tuple[int, ...]
    data_dir: Path | None
    max_parallel: int
    keep: bool
    out: Path


class Demo:
    """One run of the demo."""

    def __init__(self, settings: dict[str, Any], options: Options) -> None:
        self._settings = settings
        self._options = options
        self._notes = Console(stderr=True)
        self._timings = Timings()

    def run(self) -> None:
        """Run all steps; whatever stops them, nothing is left running."""
        options, timings = self._options, self._timings
        with timings.phase("data"):
            dataset = self._find_data()
        with timings.phase("import"):
            workspace = self._workspace()
            _ = workspace.sagemaker_session
        job = mnist_job(epochs=options.epochs, dropout=0.2, kernel_size=5, optimizer="sgd", backend="gloo")
        self._note(f"{workspace!r}")
        name = f"mnist-hand-written-digits-{datetime.now(UTC):%Y%m%d-%H%M%S}"
        runner = ExperimentRunner(workspace, name, description="MNIST handwritten digits classification", job=job)
        with self._cleaned_up(runner):
            with timings.phase("data"):
                runner.use_prepared(dataset.directory, fingerprint=dataset.fingerprint, parameters=dataset.parameters())
            board = self._train(runner)
            self._trace(workspace, board)
            self._deploy(workspace, board, dataset)
        timings.write(options.out / "timings.json")
        self._note(f"results are in {options.out}")
        self._say(str(timings))

    def _workspace(self) -> Workspace:
        settings = self._settings
        if settings["backend"] == "aws":
            return Workspace.aws(profile=settings["profile"], region=settings["region"])
        return Workspace.embedded(settings["home"]) if settings["backend"] or settings["home"] else Workspace.from_env()

    def _find_data(self) -> Dataset:
        options = self._options
        asked = options.data_dir is not None
        dataset = find_mnist(options.data_dir, require_mnist=asked, fallback=not asked)
        self._say(f"data: {dataset.describe()}")
        return dataset

    @contextmanager
    def _cleaned_up(self, runner: ExperimentRunner) -> Iterator[None]:
        """Clean up at the end, also after an error or Ctrl-C, unless --keep asks to leave all there."""
        try:
            yield
        except BaseException:
            if self._options.keep:
                self._note(f"left: experiment {runner.name}, below {runner.prefix}")
            else:
                self._note(f"cleaned up: {runner.cleanup()}")
            raise
        if self._options.keep:
            self._say(f"kept: experiment {runner.name}, below {runner.prefix}")
            return
        with self._timings.phase("cleanup"):
            report = runner.cleanup()
        self._say(f"cleanup: {report}")

    def _train(self, runner: ExperimentRunner) -> Leaderboard:
        options = self._options
        assert runner.job is not None  # noqa: S101 - made with one above
        sweep = HyperparameterSweep(
            runner, {"hidden_channels": list(options.channels)}, max_parallel=options.max_parallel
        )
        with self._timings.phase("training"), TrialsView(self._notes, runner.job.metrics) as view:
            board = sweep.run(observer=view)
        with self._timings.phase("compare"):
            board.dataframe().to_csv(options.out / "leaderboard.csv", index=False)
            points = sorted(_point(trial) for trial in board if "test:accuracy" in trial.metrics)
            plot_accuracy(points, view.losses, options.out / "accuracy.png")
            self._say(f"\nleaderboard, by {board.objective.metric if board.objective else ''}\n{board}")
        return board

    def _trace(self, workspace: Workspace, board: Leaderboard) -> None:
        with self._timings.phase("trace"):
            least = min(board, key=lambda trial: _point(trial)[0])
            lineage = LineageTracer(workspace).trace(least)
            lineage.dataframe().to_csv(self._options.out / "lineage.csv", index=False)
        self._say(f"\n{lineage}")

    def _deploy(self, workspace: Workspace, board: Leaderboard, dataset: Dataset) -> None:
        images, labels = load_images(dataset, "test")[:_ASKED], load_labels(dataset, "test")[:_ASKED]
        with self._timings.phase("deploy"):
            endpoint = BestModelDeployer(workspace).deploy(board)
        with endpoint:
            with self._timings.phase("predict"):
                answers = endpoint.predict(images)
            right = int((answers == labels).sum())
            self._say(
                f"\nendpoint {endpoint.name}: {right} of {len(labels)} test images right ({right / len(labels):.2%})"
            )
            told = " ".join(
                f"{answer}{'' if answer == label else f'(is {label})'}"
                for answer, label in zip(answers[:_SHOWN], labels, strict=False)
            )
            self._say(f"ten of its answers: {told}")
            plot_digits(images[:_SHOWN], labels[:_SHOWN], answers[:_SHOWN], self._options.out / "digits.png")

    def _say(self, text: str) -> None:
        print(text, flush=True)

    def _note(self, text: str) -> None:
        self._notes.print(text, markup=False, highlight=False, soft_wrap=True)


def _point(trial: TrialResult) -> tuple[int, float]:
    metric = trial.metrics.get("test:accuracy")
    return int(trial.hyperparameters["hidden_channels"] or 0), metric.last if metric else 0.0
