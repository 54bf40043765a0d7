"""One trial with all that was recorded of it."""

import os
from typing import TYPE_CHECKING

import attrs

from mnist_tracking._aws.convert import is_own, is_training, trial_from_component
from mnist_tracking._aws.experiments import require_trial
from mnist_tracking._aws.metrics import read_series
from mnist_tracking._aws.search import components_of
from mnist_tracking._values.html import html_table
from mnist_tracking._values.records import Component, MetricSeries, TrialResult, trial_name_of
from mnist_tracking._values.text import named
from mnist_tracking.reading.lineage import Lineage, LineageTracer
from mnist_tracking.reading.search import COMPONENT_COLUMNS, component_row

if TYPE_CHECKING:
    import pandas as pd

    from mnist_tracking.reading.download import TrialDownload
    from mnist_tracking.workspace import Workspace

__all__ = ["Trial", "read_trial"]


@attrs.frozen(repr=False)
class Trial:
    """
    One trial with all its steps. A snapshot, whoever made it; `metrics` and `lineage` read more.

    Attributes:
        trial_name: Unique in the account and region.
        experiment_name: The experiment it belongs to.
        components: Its steps, in order of creation.

    Example:
        >>> with Workspace.embedded() as workspace:
        ...     with ExperimentRunner(workspace, "churn").trial({"C": 1.0}, name="baseline") as recording:
        ...         for loss in (0.5, 0.25):
        ...             recording.log_metric("loss", loss)
        ...     trial = workspace.trial("baseline")
        ...     print(trial)
        ...     trial.metrics()["loss"].values
        trial baseline of experiment churn
        Training: Completed
          parameters C = 1
          metrics loss = 0.25
        (0.5, 0.25)
    """

    trial_name: str
    experiment_name: str
    components: tuple[Component, ...]
    _workspace: "Workspace" = attrs.field(eq=False, alias="workspace")

    def __repr__(self) -> str:
        steps = ", ".join(component.display_name for component in self.components) or "no steps"
        return f"<Trial {self.trial_name!r} of {self.experiment_name!r}: {steps}>"

    def __str__(self) -> str:
        steps = [line for component in self.components for line in _lines(component)]
        return "\n".join([self._title(), *(steps or ["no steps"])])

    def _repr_html_(self) -> str:
        return html_table(self.dataframe(), title=self._title())

    def _title(self) -> str:
        return f"trial {self.trial_name} of experiment {self.experiment_name}"

    @property
    def result(self) -> TrialResult | None:
        """How its training went: the last step that is one; None if it has none."""
        found = [component for component in self.components if is_training(component)]
        return trial_from_component(found[-1], self.trial_name, self.experiment_name) if found else None

    def metrics(self) -> dict[str, MetricSeries]:
        """
        Read every value of every metric of its steps, also while they go on.

        Where two steps have a metric of the same name, that of the later step is returned.
        """
        series: dict[str, MetricSeries] = {}
        for component in self.components:
            series |= read_series(self._workspace, component)
        return series

    def lineage(self) -> Lineage:
        """Trace what went into its model, and what came of it."""
        return LineageTracer(self._workspace).trace(self.trial_name)

    def download(self, directory: str | os.PathLike[str], *, model_only: bool = False) -> "TrialDownload":
        """
        Write its files to a folder: its model, its job's other output and log, and the artifacts of its steps.

        ``model/`` is the model, unpacked; ``output/`` what its script left in ``SM_OUTPUT_DATA_DIR``; ``artifacts/``
        what else the training has written, and ``steps/<name>/artifacts/`` what the other steps have; ``log.txt`` the
        job's log. ``trial.json``, the record, is written last: a folder that has it is whole. Called again, it fetches
        what is new or has changed, and deletes what earlier downloads wrote and the trial no longer has. Nothing is
        written outside of the folder.

        Args:
            directory: The folder: a new one, an empty one, or that of an earlier download of this trial.
            model_only: Whether to take the model alone.

        Raises:
            ConfigError: If *directory* is a file, cannot be made, or holds what no download of this trial wrote.
                Nothing was changed.
            StateError: If *model_only* is asked for and the trial has no model; if an archive is damaged, or would
                write outside of its folder; if the disk is full; or if another download is writing to the folder.
            NotFoundError: If *model_only* is asked for and the model is no longer in S3. Without *model_only*, what is
                gone is in ``missing``.
            AccessDeniedError: If something may not be read; the message says what.

        Example:
            >>> from pathlib import Path
            >>> workspace = Workspace.embedded()
            >>> with ExperimentRunner(workspace, "churn").trial(name="baseline") as recording:
            ...     _ = Path("weights.txt").write_text("0.5")
            ...     _ = recording.log_model("weights.txt")
            >>> found = workspace.trial("baseline").download("baseline")
            >>> found.model, (found.model / "weights.txt").read_text()
            (PosixPath('baseline/model'), '0.5')
            >>> workspace.trial("baseline").download("baseline").fetched
            0
            >>> workspace.close()
        """
        from mnist_tracking.reading.download import download_trial

        return download_trial(self._workspace, self, directory, model_only=model_only)

    def dataframe(self) -> "pd.DataFrame":
        """Return a row per step: step, status, started, duration_s, parameters, inputs, outputs and metrics."""
        import pandas as pd

        return pd.DataFrame([component_row(component) for component in self.components], columns=COMPONENT_COLUMNS)


def _lines(component: Component) -> list[str]:
    """Return what people want to see of a step; its code and its name are in the record."""
    metrics = {name: metric.last for name, metric in component.metrics.items()}
    facts: dict[str, dict[str, object]] = {
        "parameters": {name: value for name, value in component.parameters.items() if not is_own(name)},
        "metrics": {name: f"{value:.6g}" for name, value in metrics.items()},
        "inputs": {artifact.name: artifact.uri for artifact in component.inputs},
        "outputs": {artifact.name: artifact.uri for artifact in component.outputs},
    }
    head = f"{component.display_name}: {component.status or 'no status'}"
    lines = [f"{head}. {component.message}" if component.message else head]
    for what, found in facts.items():
        if what in ("inputs", "outputs"):
            lines += [f"  {what[:-1]} {name} = {value}" for name, value in found.items()]
        else:
            lines += named(what, found)
    return lines


def read_trial(workspace: "Workspace", name: str) -> Trial:
    """
    Read one trial; see `Workspace.trial`.

    Raises:
        NotFoundError: If there is no such trial; it names the nearest ones that there are.
        StateError: If Search does not show all of its steps within a minute.
    """
    name = trial_name_of(name)
    experiment = require_trial(workspace, name)
    return Trial(name, experiment, components_of(workspace, name), workspace)
