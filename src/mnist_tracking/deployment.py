"""BestModelDeployer: the best model of an experiment, as an endpoint."""

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from mnist_tracking._sagemaker.convert import TRAINING, trial_from_component
from mnist_tracking._sagemaker.errors import translated
from mnist_tracking._sagemaker.experiments import attach, nearest, record_step
from mnist_tracking._sagemaker.hosting import adapter_of, delete_endpoint, deploy_model, wait_for_endpoint
from mnist_tracking._sagemaker.names import check_name, unique_name
from mnist_tracking._sagemaker.sdk import quiet
from mnist_tracking._sagemaker.search import iter_components
from mnist_tracking.digits import check_digits, digits_of
from mnist_tracking.errors import NotFoundError, StateError
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

    Attributes:
        name: Its name.
        trial_name: The trial whose model it serves.
    """

    def __init__(
        self, workspace: "Workspace", name: str, trial_name: str, *, predictor: Any, adapter: str | None
    ) -> None:
        self.name = name
        self.trial_name = trial_name
        self._workspace = workspace
        self._predictor = predictor
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
                normalises. For any other model: an array, sent as it is.
            probabilities: For the CNN: give ``(N, 10)`` float32 probabilities.

        Returns:
            For the CNN ``(N,)`` int64 digits, or the probabilities. For any other model what it answers.

        Raises:
            ConfigError: If the CNN is asked with another shape or dtype. Nothing was sent.
            ServiceError: If the model fails; carries its message.
        """
        if self._adapter != "digits":
            return self._invoke(np.asarray(data))
        images = check_digits(data)
        answers = [self._invoke(images[start : start + _BATCH]) for start in range(0, len(images), _BATCH)]
        together = np.concatenate(answers).astype(np.float32) if answers else np.empty((0, 10), np.float32)
        return together if probabilities else digits_of(together)

    def _invoke(self, array: "npt.NDArray[Any]") -> "npt.NDArray[Any]":
        with quiet(), translated():
            return np.asarray(self._predictor.predict(array))

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
        name: str | None = None,
        timeout_s: float | None = 1800.0,
    ) -> Endpoint:
        """
        Start an endpoint and wait until it answers.

        The deployment is recorded as the step ``Deployment`` of the trial, so that the lineage shows it.

        Args:
            target: A leaderboard (its best trial), a trial, or the name of a trial.
            name: The endpoint's name. Defaults to a generated one.
            timeout_s: Give up after this many seconds; what was made is deleted again.

        Raises:
            StateError: If no trial completed, or the trial has no model.
            NotFoundError: If there is no such trial.
            JobFailedError: If the endpoint fails to start; what was made is deleted again.
        """
        component, trial = self._training_of(target)
        if trial.model_uri is None or trial.code_uri is None or trial.status != "Completed":
            raise StateError("trial", trial.trial_name, f"is {trial.status} and has no model to deploy")
        endpoint_name = check_name("endpoint", name) if name else unique_name(trial.trial_name[:32], "endpoint")
        is_ours = name is None  # a given name may be that of an endpoint which exists
        try:
            predictor = deploy_model(
                self._workspace,
                name=endpoint_name,
                model_uri=trial.model_uri,
                entry_point=str(component.parameters["sagemaker_program"]),
                code_uri=trial.code_uri,
                code_location=trial.model_uri.rsplit("/jobs/", 1)[0] + "/models",
                instance_type=self._instance_type,
                tags=self._workspace.tags,
            )
            is_ours = True
            arn = wait_for_endpoint(self._workspace, endpoint_name, timeout_s)
            self._record(trial, endpoint_name, arn)
            adapter = adapter_of(self._workspace, component.source_arn)
        except BaseException:  # an interrupt from the keyboard too, at any point
            if is_ours:
                delete_endpoint(self._workspace, endpoint_name)
            raise
        return Endpoint(self._workspace, endpoint_name, trial.trial_name, predictor=predictor, adapter=adapter)

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

    def _training_of(self, target: Leaderboard | TrialResult | str) -> tuple[Component, TrialResult]:
        if isinstance(target, Leaderboard):
            target = target.best
        name = target.trial_name if isinstance(target, TrialResult) else target
        found = list(iter_components(self._workspace.client("sagemaker"), Parents_TrialName=name, DisplayName=TRAINING))
        if not found:
            with translated():
                trials = self._workspace.client("sagemaker").list_trials(MaxResults=100)["TrialSummaries"]
            raise NotFoundError("trained trial", name, nearest(name, [t["TrialName"] for t in trials]))
        return found[-1], trial_from_component(found[-1], name)
