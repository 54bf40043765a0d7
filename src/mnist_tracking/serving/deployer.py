"""BestModelDeployer: puts the model of a trial, or the best model of an experiment, behind an endpoint."""

import os

import attrs

from mnist_tracking._aws.account import Account, check_account
from mnist_tracking._aws.components import create_component
from mnist_tracking._aws.convert import ADAPTER, LEAVING_TAG, TRIAL_TAG, program
from mnist_tracking._aws.endpoints import (
    EndpointFacts,
    Served,
    adapter_of,
    check_endpoint_name_is_free,
    check_served,
    delete_endpoint,
    deploy_model,
    hosting_arn,
    wait_for_endpoint,
)
from mnist_tracking._aws.experiments import attach, require_experiment, require_trial, training_of
from mnist_tracking._aws.removal import delete_named, detach
from mnist_tracking._aws.storage import check_script, delete_objects, find_script
from mnist_tracking._values.checks import check_count, check_timeout
from mnist_tracking._values.formats import Deserializer, Format, Serializer, deserializer_of, named_by, serializer_of
from mnist_tracking._values.names import check_name, unique_name
from mnist_tracking._values.records import Component, NamedTrial, trial_name_of
from mnist_tracking._values.specs import Objective, check_image, check_instance_type
from mnist_tracking._values.warning import warn
from mnist_tracking.errors import (
    AlreadyExistsError,
    ConfigError,
    JobTimeoutError,
    MnistTrackingError,
    NotFoundError,
    StateError,
)
from mnist_tracking.reading.leaderboard import Leaderboard
from mnist_tracking.reading.trial import Trial, is_trained, trial_from_component
from mnist_tracking.serving.endpoint import Endpoint

__all__ = ["BestModelDeployer", "DeploymentPlan"]

DEPLOYMENT = "Deployment"


class BestModelDeployer:
    """
    Deploys trained models, by default with the code that trained them.

    Args:
        workspace: Where to deploy.
        instance_type: The instance type of the endpoints.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("model.txt").write_text("3")
        >>> script = '''
        ... def model_fn(folder): return float(open(folder + "/model.txt").read())
        ... def transform_fn(model, body, content_type, accept): return str(model * float(body)), accept
        ... '''
        >>> _ = Path("answer.py").write_text(script)
        >>> with Workspace.embedded() as workspace:
        ...     with ExperimentRunner(workspace, "factors").trial(name="three") as trial:
        ...         _ = trial.log_model("model.txt", entry_point="answer.py")
        ...     with BestModelDeployer(workspace).deploy(trial, serializer="json") as endpoint:
        ...         endpoint.predict(2)
        6.0
    """

    def __init__(self, workspace: Account, *, instance_type: str = "ml.m5.large") -> None:
        check_account(workspace)
        check_instance_type(instance_type)
        self._account = workspace
        self._instance_type = instance_type

    def deploy(  # noqa: PLR0913 - one keyword for each thing that an endpoint is made of; none is needed
        self,
        target: Leaderboard | NamedTrial | str,
        *,
        objective: Objective | str | None = None,
        name: str | None = None,
        instance_type: str | None = None,
        instance_count: int = 1,
        entry_point: str | os.PathLike[str] | None = None,
        source_dir: str | os.PathLike[str] | None = None,
        image_uri: str | None = None,
        serializer: Serializer | Format | None = None,
        deserializer: Deserializer | Format | None = None,
        wait: bool = True,
        delete: bool = True,
        timeout_s: float | None = 1800.0,
    ) -> Endpoint:
        """
        Create an endpoint, and wait until it is in service.

        The deployment is recorded as the step ``Deployment`` of the trial, so that the lineage shows it.

        Args:
            target: A trial, its name, or a leaderboard for its best trial; with *objective*, the name of an experiment
                for its best trial. A trial that diverged is never the best; given by its name, it is deployed with a
                warning.
            objective: How to rank the trials of the experiment *target*.
            name: The endpoint's name. Defaults to a generated one.
            instance_type: Its instance type; defaults to the deployer's.
            instance_count: The number of instances. An embedded SageMaker serves with one process in any case.
            entry_point: The script with ``model_fn`` and the other handlers, a file; with *source_dir*, a file
                at the top of that folder. Defaults to the code that was recorded with the model.
            source_dir: A folder to upload with the script, or an archive in S3, such as a trial's ``code_uri``.
            image_uri: A container image; defaults to the PyTorch container's. An image that serves the model by itself
                needs no script.
            serializer: How data is sent: ``"numpy"`` (the default), ``"json"``, ``"csv"``, ``"bytes"``, or any of
                ``sagemaker.serializers``. A name is stored with the endpoint, for `Workspace.endpoint`.
            deserializer: How responses are read, likewise. Defaults to the counterpart of a *serializer* given by name.
            wait: Wait until it is in service; otherwise call `Endpoint.wait`.
            delete: Whether leaving the endpoint's ``with`` block deletes it.
            timeout_s: Give up waiting after this many seconds.

        Raises:
            ConfigError: If an argument is wrong, or the script does not exist.
            StateError: If no trial completed, the trial has no model, or no script can serve it.
            NotFoundError: If the trial or experiment does not exist, or its model is no longer in S3.
            AlreadyExistsError: If *name* is taken; the existing endpoint is not changed.
            JobFailedError: If the endpoint fails to start; carries the end of its log. Everything is deleted again.
            JobTimeoutError: If it takes longer than *timeout_s*. Everything is deleted again.
        """
        check_timeout(timeout_s)
        plan = self.plan(
            target,
            objective=objective,
            name=name,
            instance_type=instance_type,
            instance_count=instance_count,
            entry_point=entry_point,
            source_dir=source_dir,
            image_uri=image_uri,
            serializer=serializer,
            deserializer=deserializer,
        )
        facts = self._start(plan, timeout_s=timeout_s, wait=wait)
        return Endpoint(self._account, facts, serializer=serializer, deserializer=deserializer, delete=delete)

    def plan(  # noqa: PLR0913 - the keywords of deploy
        self,
        target: Leaderboard | NamedTrial | str,
        *,
        objective: Objective | str | None = None,
        name: str | None = None,
        instance_type: str | None = None,
        instance_count: int = 1,
        entry_point: str | os.PathLike[str] | None = None,
        source_dir: str | os.PathLike[str] | None = None,
        image_uri: str | None = None,
        serializer: Serializer | Format | None = None,
        deserializer: Deserializer | Format | None = None,
    ) -> "DeploymentPlan":
        """
        Check everything that `deploy` checks with these arguments, and return what it would create. Creates nothing.

        Args:
            target: As for `deploy`, and so are the others.
            objective: How to rank the trials of the experiment *target*.
            name: The endpoint's name. Defaults to a generated one.
            instance_type: Its instance type; defaults to the deployer's.
            instance_count: The number of instances.
            entry_point: The script with ``model_fn`` and the other handlers.
            source_dir: A folder to upload with the script, or an archive in S3.
            image_uri: A container image.
            serializer: How data is sent.
            deserializer: How responses are read.

        Raises:
            ConfigError: If an argument is wrong, or the script does not exist.
            StateError: If no trial completed, the trial has no model, or no script can serve it.
            NotFoundError: If the trial or experiment does not exist, or its model is no longer in S3.
            AlreadyExistsError: If *name* is taken.
        """
        instance_type = self._instance_type if instance_type is None else instance_type
        check_instance_type(instance_type)
        check_count("instance_count", instance_count)
        check_image(image_uri)
        serializer_of(serializer)
        deserializer_of(deserializer, serializer)
        trial, training = self._chosen(target, objective)
        _warn_if_diverged(trial)
        served = _served(trial, training, entry_point, source_dir, image_uri)
        endpoint_name = self._endpoint_name(trial, name)
        check_served(self._account, served, instance_type)
        return DeploymentPlan(
            name=endpoint_name,
            trial=trial,
            adapter=named_by(serializer, deserializer) or self._adapter(training, entry_point),
            instance_type=instance_type,
            instance_count=instance_count,
            served=served,
        )

    def _chosen(
        self, target: Leaderboard | NamedTrial | str, objective: Objective | str | None
    ) -> tuple[Trial, Component]:
        """Return the trial that *target* refers to, and its training, both as they are now."""
        if objective is not None:
            if not isinstance(target, str):
                raise ConfigError(f"objective={objective!r} needs the name of an experiment, not {target!r}.")
            target = Leaderboard.load(self._account, target, objective=objective)
        best = target.best if isinstance(target, Leaderboard) else target
        name = trial_name_of(best)
        known = best.component_name if isinstance(best, Trial) else None
        try:
            found = require_trial(self._account, name)
        except NotFoundError:
            self._refuse_experiment(name)
            raise
        training = training_of(self._account, found.name, known)
        if training is None:
            raise StateError("trial", found.name, "no-training", "has no training, and so no model to deploy")
        return trial_from_component(self._account, training, found.name, found.experiment), training

    def _refuse_experiment(self, name: str) -> None:
        """Raise ConfigError if the name is that of an experiment rather than a trial."""
        try:
            require_experiment(self._account, name)
        except NotFoundError:
            return
        raise ConfigError(f"{name!r} is an experiment. Pass objective='metric name' to deploy its best trial.")

    def _start(self, plan: "DeploymentPlan", *, timeout_s: float | None, wait: bool) -> EndpointFacts:
        """
        Create everything, or nothing.

        The step comes first: by it, a cleanup finds what a killed process has created. After an interrupt it stays,
        since a request that was under way may still create something.
        """
        step = unique_name(f"{plan.name}-deployment"[:90], "trial component")
        try:
            self._record(plan, step)
            self._create(plan)
            if wait:
                wait_for_endpoint(self._account, plan.name, timeout_s, "It was deleted again.")
        except BaseException as error:  # Ctrl-C too, at any moment
            self._undo(plan, step, error)
            raise
        return EndpointFacts(plan.name, plan.trial.name, plan.adapter, is_ours=True)

    def _undo(self, plan: "DeploymentPlan", step: str, error: BaseException) -> None:
        """Delete everything; the step stays if something else may do so. The error is the one to report."""
        try:
            if not isinstance(error, AlreadyExistsError):  # otherwise the name was taken just now
                delete_endpoint(self._account, plan.name)
                delete_objects(self._account, [f"{self._folder(plan.trial)}/{plan.name}/model.tar.gz"])
            if isinstance(error, Exception):
                detach(self._account, plan.trial.name, step)
                delete_named(self._account, "trial component", step)
        except MnistTrackingError as second:
            if isinstance(error, JobTimeoutError):
                error.outcome = "It could not be deleted."
            name, experiment = plan.name, plan.trial.experiment
            error.add_note(
                f"The endpoint {name!r} may exist, and cost money on AWS, until 'mnist-tracking undeploy {name}' or a "
                f"cleanup of the experiment {experiment!r} deletes it: {second}"
            )

    def _create(self, plan: "DeploymentPlan") -> None:
        adapter = {ADAPTER: plan.adapter} if plan.adapter else {}
        deploy_model(
            self._account,
            plan._served,
            name=plan.name,
            code_location=self._folder(plan.trial),
            instance_type=plan.instance_type,
            instance_count=plan.instance_count,
            tags={**self._account.tags, TRIAL_TAG: plan.trial.name, **adapter},
        )

    def _adapter(self, training: Component, entry_point: str | os.PathLike[str] | None) -> str | None:
        """Return the adapter of the job that trained the model; another script has none."""
        return adapter_of(self._account, training.source_arn) if entry_point is None else None

    def _endpoint_name(self, trial: Trial, name: str | None) -> str:
        if name is None:
            return unique_name(trial.name, "endpoint")
        check_endpoint_name_is_free(self._account, check_name("endpoint", name))
        return name

    def _folder(self, trial: Trial) -> str:
        """Return where the archives are that are packed for endpoints."""
        parts = ("s3:/", self._account.bucket, self._account.prefix, trial.experiment, "models")
        return "/".join(part for part in parts if part)

    def _record(self, plan: "DeploymentPlan", step: str) -> None:
        """Record the deployment; until it is attached to its trial, a cleanup finds it by its tag."""
        create_component(
            self._account,
            step,
            DEPLOYMENT,
            {**self._account.tags, LEAVING_TAG: plan.trial.experiment},
            parameters={
                "endpoint_name": plan.name,
                "instance_type": plan.instance_type,
                "instance_count": plan.instance_count,
            },
            inputs={"model": plan.model_uri},
            outputs={"endpoint": hosting_arn(self._account, "endpoint", plan.name)},
        )
        attach(self._account, plan.trial.name, step)


@attrs.frozen(kw_only=True)
class DeploymentPlan:
    """
    What a deployment would create, from `BestModelDeployer.plan`.

    Attributes:
        name: The endpoint's name.
        trial: The trial whose model it would serve.
        adapter: The dotted name of its adapter, or the formats given by name; None for neither.
        instance_type: Its instance type.
        instance_count: The number of instances.
    """

    name: str
    trial: Trial
    adapter: str | None
    instance_type: str
    instance_count: int
    _served: Served = attrs.field(alias="served")

    @property
    def model_uri(self) -> str:
        """The model's archive in S3."""
        return self._served.model_uri


def _warn_if_diverged(trial: Trial) -> None:
    if trial.non_finite:
        ends = ", ".join(f"{metric!r} ends with {last}" for metric, last in trial.non_finite.items())
        warn(f"The training of {trial.name!r} diverged, and its model is deployed: {ends}.")


def _served(
    trial: Trial,
    training: Component,
    entry_point: str | os.PathLike[str] | None,
    source_dir: str | os.PathLike[str] | None,
    image_uri: str | None,
) -> Served:
    """Return what to serve: the trial's model, with the caller's script or the recorded one."""
    if not is_trained(trial):
        said = f"is {trial.status}; only a trial that has completed, or reached its time limit, can be deployed"
        raise StateError("trial", trial.name, "not-completed", said)
    if trial.model_uri is None:
        raise StateError("trial", trial.name, "no-model", "has no model to deploy")
    if entry_point is not None or source_dir is not None:
        script = _given_script(entry_point, source_dir)
    else:
        script = _recorded_script(trial, training, is_needed=image_uri is None)
    return Served(model_uri=trial.model_uri, entry_point=script[0], source_dir=script[1], image_uri=image_uri)


def _given_script(
    entry_point: str | os.PathLike[str] | None, source_dir: str | os.PathLike[str] | None
) -> tuple[str | None, str | None]:
    code = None if source_dir is None else os.fspath(source_dir)
    (check_script if code and code.startswith("s3://") else find_script)(entry_point, source_dir)
    return None if entry_point is None else os.fspath(entry_point), code


def _recorded_script(trial: Trial, training: Component, *, is_needed: bool) -> tuple[str | None, str | None]:
    script = program(training)
    if trial.code_uri is None or script is None:
        if is_needed:
            said = "has a model, but no script to serve it. Pass entry_point=, a script with model_fn"
            raise StateError("trial", trial.name, "no-script", said)
        return None, None
    if "/" in script:
        said = f"was trained by {script!r}, but an endpoint needs a script at the top of its folder. Pass entry_point="
        raise StateError("trial", trial.name, "no-script", said)
    return script, trial.code_uri
