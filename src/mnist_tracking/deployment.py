"""BestModelDeployer: the best model of an experiment, as an endpoint."""

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from mnist_tracking._sagemaker.convert import TRAINING, trial_from_component
from mnist_tracking._sagemaker.errors import translated
from mnist_tracking._sagemaker.experiments import attach, nearest, record_step
from mnist_tracking._sagemaker.hosting import (
    adapter_of,
    delete_endpoint,
    deploy_model,
    refuse_taken,
    wait_for_endpoint,
)
from mnist_tracking._sagemaker.invocation import invoke
from mnist_tracking._sagemaker.names import check_name, unique_name
from mnist_tracking._sagemaker.search import iter_components
from mnist_tracking.digits import as_array, check_digits, digits_of
from mnist_tracking.errors import AlreadyExistsError, ConfigError, NotFoundError, StateError
from mnist_tracking.jobs import Objective
from mnist_tracking.leaderboard import Leaderboard
from mnist_tracking.records import Component, TrialResult

if TYPE_CHECKING:
    import numpy.typing as npt

    from mnist_tracking.workspace import Workspace

__all__ = ["BestModelDeployer", "Endpoint"]

DEPLOYMENT = "Deployment"
_BATCH = 4096  # images; 784 bytes each, so a request stays below the service's 6 MiB


class Endpoint:
    """
    A model that answers. Leaving its ``with`` block deletes the endpoint, its configuration and its model.

    **Thread safety.** `predict` may be called from several threads at once.

    Attributes:
        name: Its name.
        trial_name: The trial whose model it serves.
    """

    def __init__(self, workspace: "Workspace", name: str, trial_name: str, *, adapter: str | None) -> None:
        self.name = name
        self.trial_name = trial_name
        self._workspace = workspace
        self._adapter = adapter

    def __repr__(self) -> str:
        return f"<Endpoint {self.name!r} serving {self.trial_name!r}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.delete()

    def predict(self, data: "npt.ArrayLike", *, probabilities: bool = False) -> "npt.NDArray[Any]":
        """
        Ask the model.

        Args:
            data: For the CNN: ``(28, 28)``, ``(N, 28, 28)`` or ``(N, 1, 28, 28)`` uint8 in [0, 255]; the endpoint
                normalises. Any number of images: they go in requests that the service takes. For any other model: an
                array, sent as it is in one request.
            probabilities: For the CNN: give ``(N, 10)`` float32 probabilities.

        Returns:
            For the CNN ``(N,)`` int64 digits, or the probabilities. For any other model what it answers.

        Raises:
            ConfigError: If the CNN is asked with another shape or dtype, or if the data are no array. Nothing was sent.
            ServiceError: If the model fails; carries its message.
            NotFoundError: If the endpoint was deleted.
            StateError: If it is no longer in service.
        """
        if self._adapter != "digits":
            return invoke(self._workspace, self.name, as_array(data))
        images = check_digits(data)
        batches = [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]
        answers = [invoke(self._workspace, self.name, batch) for batch in batches]
        together = np.concatenate(answers).astype(np.float32) if answers else np.empty((0, 10), np.float32)
        return together if probabilities else digits_of(together)

    def delete(self) -> None:
        """Delete the endpoint, its configuration and its model. Again is fine."""
        delete_endpoint(self._workspace, self.name)


class BestModelDeployer:
    """
    Deploys a trained model with the very code that trained it.

    Args:
        workspace: Where to deploy.
        instance_type: What the endpoint runs on.
    """

    def __init__(self, workspace: "Workspace", *, instance_type: str = "ml.m5.large") -> None:
        self._workspace = workspace
        self._instance_type = instance_type

    def deploy(
        self,
        target: Leaderboard | TrialResult | str,
        *,
        objective: Objective | str | None = None,
        name: str | None = None,
        timeout_s: float | None = 1800.0,
    ) -> Endpoint:
        """
        Start an endpoint and wait until it answers.

        The deployment is recorded as the step ``Deployment`` of the trial, so that the lineage shows it.

        Args:
            target: A leaderboard (its best trial), a trial, or the name of a trial; with *objective*, the name of an
                experiment.
            objective: What the best trial of the experiment named by *target* is the best at.
            name: The endpoint's name. Defaults to a generated one.
            timeout_s: Give up after this many seconds.

        Raises:
            StateError: If no trial completed, or the trial has no model.
            NotFoundError: If there is no such trial or experiment, or its model is no longer in S3.
            AlreadyExistsError: If *name* is taken; what has it is left alone.
            JobFailedError: If the endpoint fails to start; carries the end of its log. What was made is deleted again.
            JobTimeoutError: If it takes longer than *timeout_s*. What was made is deleted again.
        """
        component, trial = self._training_of(self._chosen(target, objective))
        model_uri, code_uri = _model_of(trial)
        endpoint_name = self._endpoint_name(trial, name)
        try:
            deploy_model(
                self._workspace,
                name=endpoint_name,
                model_uri=model_uri,
                entry_point=str(component.parameters["sagemaker_program"]),
                code_uri=code_uri,
                code_location=model_uri.rsplit("/jobs/", 1)[0] + "/models",
                instance_type=self._instance_type,
                tags=self._workspace.tags,
            )
            arn = wait_for_endpoint(self._workspace, endpoint_name, timeout_s)
            adapter = adapter_of(self._workspace, component.source_arn)
            self._record(trial, endpoint_name, arn)
            return Endpoint(self._workspace, endpoint_name, trial.trial_name, adapter=adapter)
        except AlreadyExistsError:  # somebody took the name just now
            raise
        except BaseException:  # an interrupt from the keyboard too, at any point
            delete_endpoint(self._workspace, endpoint_name)
            raise

    def _endpoint_name(self, trial: TrialResult, name: str | None) -> str:
        if name is None:
            return unique_name(trial.trial_name[:32], "endpoint")
        refuse_taken(self._workspace, check_name("endpoint", name))
        return name

    def _record(self, trial: TrialResult, endpoint_name: str, arn: str) -> None:
        name = unique_name(f"{endpoint_name}-deployment"[:90], "trial component")
        record_step(
            self._workspace,
            name,
            DEPLOYMENT,
            parameters={"endpoint_name": endpoint_name, "instance_type": self._instance_type},
            inputs={"model": trial.model_uri or ""},
            outputs={"endpoint": arn},
            tags=self._workspace.tags,
        )
        attach(self._workspace, trial.trial_name, name)

    def _chosen(self, target: Leaderboard | TrialResult | str, objective: Objective | str | None) -> str:
        """Return the name of the trial that *target* stands for."""
        if objective is not None:
            if not isinstance(target, str):
                raise ConfigError(f"objective={objective!r} goes with the name of an experiment, not with {target!r}.")
            target = Leaderboard.load(self._workspace, target, objective=objective)
        if isinstance(target, Leaderboard):
            target = target.best
        return target.trial_name if isinstance(target, TrialResult) else target

    def _training_of(self, name: str) -> tuple[Component, TrialResult]:
        found = list(iter_components(self._workspace.client("sagemaker"), Parents_TrialName=name, DisplayName=TRAINING))
        if not found:
            with translated():
                trials = self._workspace.client("sagemaker").list_trials(MaxResults=100)["TrialSummaries"]
            raise NotFoundError("trained trial", name, nearest(name, [t["TrialName"] for t in trials]))
        return found[-1], trial_from_component(found[-1], name)


def _model_of(trial: TrialResult) -> tuple[str, str]:
    """Return where the model and the code of a trial are."""
    if trial.status != "Completed":
        raise StateError("trial", trial.trial_name, f"is {trial.status}; only a completed trial can be deployed")
    if trial.model_uri is None or trial.code_uri is None:
        raise StateError("trial", trial.trial_name, "has no model to deploy")
    return trial.model_uri, trial.code_uri
