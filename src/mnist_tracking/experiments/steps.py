"""What a program records of its own work: a step, and a trial that is computed right here."""

import math
import os
import threading
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.components import (
    ComponentTracker,
    Direction,
    draw_confusion_matrix,
    draw_precision_recall,
    draw_roc_curve,
    draw_table,
)
from mnist_tracking._aws.metrics import put_metrics
from mnist_tracking._aws.storage import upload_model
from mnist_tracking._values.checks import check_path
from mnist_tracking._values.markers import CHECKED, DROPPED, NON_FINITE, tail_parameters
from mnist_tracking._values.recordable import LAST_STEP, check_key, check_metrics, check_step
from mnist_tracking._values.records import ParameterValue
from mnist_tracking._values.tally import Tally
from mnist_tracking.errors import ConfigError, StateError, StateReason

if TYPE_CHECKING:
    import pandas as pd


__all__ = ["LocalTrial", "Step"]


class _Recording:
    """The block of a `Step` or a `LocalTrial`, and everything it can log."""

    _noun: str
    _hint: str

    def __init__(
        self,
        account: Account,
        name: str,
        component_name: str,
        folder: str,
        *,
        around: AbstractContextManager[None],
        parameters: Mapping[str, ParameterValue] | None = None,
    ) -> None:
        self.name = name
        self.component_name = component_name
        self._account = account
        self._folder = folder
        self._around = around
        self._parameters = dict(parameters or {})
        self._block: ExitStack | None = None
        self._tracker: ComponentTracker | None = None
        self._counts: dict[str, int] = {}
        self._tallies: dict[str, Tally] = {}
        self._marked: dict[str, str] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} recorded as {self.component_name!r}>"

    def __enter__(self) -> Self:
        """Mark it ``InProgress``."""
        if self._block is not None:
            raise self._refusal("already-entered", "was entered before; a block is entered once")
        self._block = ExitStack()
        with ExitStack() as opening:
            opening.enter_context(self._around)
            tracker = ComponentTracker(self._account, self.component_name, self._folder)
            opening.enter_context(tracker.marked(self._parameters))
            self._tracker = tracker
            self._block = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Mark it ``Completed``, ``Failed`` or ``Stopped``; an exception propagates."""
        if self._block is not None:
            self._block.__exit__(kind, error, trace)

    def _open(self) -> ComponentTracker:
        """Return the tracker; StateError outside the block."""
        if self._tracker is None:
            raise self._refusal("not-begun", "has not begun; it takes values inside its block")
        if self._tracker.ended is not None:
            raise self._refusal("ended", f"has ended ({self._tracker.ended}); it takes values inside its block")
        return self._tracker

    def _refusal(self, reason: StateReason, detail: str) -> StateError:
        return StateError(self._noun, self.name, reason, f"{detail}: {self._hint.format(self.name)}")

    def log_parameter(self, name: str, value: ParameterValue) -> None:
        """
        Record one parameter; see `log_parameters`.

        Args:
            name: Its name.
            value: A finite number, a string of up to 2500 characters, a boolean, None, or a list or mapping of them.
        """
        self.log_parameters({check_key("parameter", name): value})

    def log_parameters(self, values: Mapping[str, ParameterValue]) -> None:
        """
        Record parameters, which are read back as they were recorded; an existing name is replaced.

        Raises:
            ConfigError: If a value cannot be recorded. Nothing was sent.
        """
        self._open().parameters(values)

    def log_input(self, name: str, uri: str, *, media_type: str | None = None) -> None:
        """Record the location of an input of this step, such as ``s3://bucket/key``."""
        self._open().location("input", name, uri, media_type)

    def log_output(self, name: str, uri: str, *, media_type: str | None = None) -> None:
        """Record the location of an output of this step."""
        self._open().location("output", name, uri, media_type)

    def log_artifact(
        self,
        path: str | os.PathLike[str],
        *,
        name: str | None = None,
        media_type: str | None = None,
        direction: Direction = "output",
    ) -> None:
        """
        Upload a file and record it.

        Args:
            path: The file.
            name: Its name in the step; by default the file's, with hyphens for characters that are not allowed.
            media_type: Its media type; by default guessed from the file's name.
            direction: ``"output"``, or ``"input"`` for a file that the step reads.

        Raises:
            ConfigError: If the file does not exist, another file of that name was uploaded already, or *direction* is
                another value.
        """
        if direction not in ("input", "output"):
            raise ConfigError(f"direction={direction!r}; expected 'input' or 'output'.")
        self._open().file(direction, check_path("path", path), name, media_type)

    def log_table(self, table: "pd.DataFrame | Mapping[str, Iterable[object]]", *, name: str = "table") -> None:
        """Upload a frame, or lists or arrays by column, as SageMaker's JSON table, and record it."""
        self._open().chart(draw_table, name, table)

    def log_confusion_matrix(
        self, truth: Iterable[object], predictions: Iterable[object], *, name: str = "confusion-matrix"
    ) -> None:
        """
        Record how often each class was predicted as each class, as SageMaker's JSON confusion matrix.

        Args:
            truth: The true class of each item.
            predictions: The predicted class of each item.
            name: Its name in the step.

        Raises:
            ConfigError: If the two differ in length.
            MissingDependencyError: If scikit-learn is not installed.
        """
        self._open().chart(draw_confusion_matrix, name, truth, predictions)

    def log_roc_curve(self, truth: Iterable[object], scores: Iterable[float], *, name: str = "roc-curve") -> None:
        """Record the true against the false positive rate; raises as `log_confusion_matrix` does."""
        self._open().chart(draw_roc_curve, name, truth, scores)

    def log_precision_recall(
        self, truth: Iterable[object], scores: Iterable[float], *, name: str = "precision-recall"
    ) -> None:
        """Record precision against recall; raises as `log_confusion_matrix` does."""
        self._open().chart(draw_precision_recall, name, truth, scores)

    def log_metric(self, name: str, value: float, *, step: int | None = None) -> None:
        """
        Record one value of a metric; see `log_metrics`.

        Args:
            name: Such as ``"f1"``.
            value: A number.
            step: Its step, an integer >= 0; by default the metric's next one, from 0.
        """
        self.log_metrics({check_key("metric", name): value}, step=step)

    def log_metrics(self, values: Mapping[str, float], *, step: int | None = None) -> None:
        """
        Record one value each of several metrics; `Trial.series` reads every finite value back.

        SageMaker keeps finite values only. While the last value of a metric is NaN or infinite, ``Trial.non_finite``
        shows it: such a trial is never the best.

        Args:
            values: Numbers by metric.
            step: Their step, an integer >= 0; by default each metric's next one, from 0.

        Raises:
            ConfigError: If a value is not a number, or *step* is not an integer from 0 to 2**31 - 1. Nothing was sent.
            ServiceError: If SageMaker did not record a value.
        """
        tracker = self._open()
        numbers, step = check_metrics(values), check_step(step, most=LAST_STEP)
        finite = {name: number for name, number in numbers.items() if math.isfinite(number)}
        with self._lock:  # also while sending: the next step follows from what was recorded
            steps = {name: self._counts.get(name, 0) if step is None else step for name in numbers}
            for name in put_metrics(self._account, self.component_name, finite, steps):
                self._count(name, numbers[name], steps[name])
            self._mark(tracker, {name: "" if name in finite else str(number) for name, number in numbers.items()})
            for name in numbers.keys() - finite.keys():
                self._count(name, numbers[name], steps[name])
            dropped = {name: text for name, tally in self._tallies.items() if (text := tally.dropped)}
            tracker.at_end.update({f"{DROPPED}{name}": text for name, text in dropped.items()})
            tracker.at_end.update(tail_parameters({name: self._tallies[name].tail for name in numbers}))

    def _count(self, name: str, number: float, step: int) -> None:
        self._counts[name] = step + 1
        self._tallies.setdefault(name, Tally(name)).add(number)

    def _mark(self, tracker: ComponentTracker, ends: Mapping[str, str]) -> None:
        """Record which metrics are not finite now, and no longer those that are finite again."""
        changed = {name: last for name, last in ends.items() if self._marked.get(name, "") != last}
        if changed:
            set_now = {f"{NON_FINITE}{name}": last for name, last in changed.items() if last}
            tracker.mark(set_now, [f"{NON_FINITE}{name}" for name, last in changed.items() if not last])
            self._marked.update(changed)


class Step(_Recording):
    """
    One tracked step of a program: a ``with`` block, from `ExperimentRunner.step`.

    It takes values inside its block only; before and after, logging raises `StateError`.

    **Durability.** Each call sends its values at once; if the program is killed, they are there, with the status
    ``InProgress``. **Thread safety.** Safe to share between threads.

    Attributes:
        name: The kind of step, such as ``"Evaluation"``.
        component_name: The trial component that records it, unique in the account and region.

    Example:
        >>> with Workspace.embedded() as workspace:
        ...     with ExperimentRunner(workspace, "churn").step("Cleaning") as step:
        ...         step.log_parameter("rows", 10_000)
        ...         step.log_input("raw", "s3://my-bucket/raw.csv")
        ...         step.log_metrics({"dropped": 12, "doubled": 3})
        >>> step
        <Step 'Cleaning' recorded as 'churn-cleaning-...'>
    """

    _noun = "step"
    _hint = "with runner.step({0!r}) as step: ..."


class LocalTrial(_Recording):
    """
    One trial that is computed in this process: a ``with`` block, from `ExperimentRunner.trial`.

    It takes what a `Step` takes, with the same guarantees, and appears on the same leaderboard as the trials that jobs
    train.

    Attributes:
        name: Its name, unique in the account and region.
        experiment: The experiment it belongs to.
        component_name: The trial component that records it.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("model.txt").write_text("3.0")
        >>> with Workspace.embedded() as workspace:
        ...     with ExperimentRunner(workspace, "churn").trial({"C": 1.0}, name="baseline") as trial:
        ...         trial.log_metric("accuracy", 0.91)
        ...         trial.log_model("model.txt")
        's3://.../mnist-tracking/churn/jobs/baseline/output/model.tar.gz'
    """

    _noun = "trial"
    _hint = "with runner.trial(name={0!r}) as trial: ...; add to it later with runner.step(..., trial={0!r})"

    def __init__(
        self,
        account: Account,
        name: str,
        component_name: str,
        folder: str,
        *,
        experiment: str,
        around: AbstractContextManager[None],
        parameters: Mapping[str, ParameterValue],
        output_uri: str,
    ) -> None:
        marked = {**parameters, CHECKED: True}  # every value passes through this process
        super().__init__(account, name, component_name, folder, around=around, parameters=marked)
        self.experiment = experiment
        self._output_uri = output_uri

    def log_model(
        self,
        path: str | os.PathLike[str],
        *,
        entry_point: str | os.PathLike[str] | None = None,
        source_dir: str | os.PathLike[str] | None = None,
    ) -> str:
        """
        Upload the model of this trial, so that it can be deployed.

        Args:
            path: A file, or a folder whose contents are uploaded.
            entry_point: The script with ``model_fn`` and, if needed, ``input_fn``, ``predict_fn`` and ``output_fn``,
                relative to *source_dir* if given. Without one, pass it when the model is deployed.
            source_dir: A folder to upload with the script.

        Returns:
            The model's location, ``s3://.../model.tar.gz``.

        Raises:
            ConfigError: If *path* or the script does not exist. Nothing was sent.
        """
        tracker = self._open()
        model = upload_model(self._account, check_path("path", path), self._output_uri, entry_point, source_dir)
        tracker.location("output", "SageMaker.ModelArtifact", model.uri)
        if model.code_uri is not None:
            tracker.parameters({"sagemaker_submit_directory": model.code_uri, "sagemaker_program": str(model.program)})
        return model.uri
