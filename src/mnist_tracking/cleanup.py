"""Delete an experiment and all that this library made for it."""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import attrs

from mnist_tracking._sagemaker.convert import CREATED_BY, EXPERIMENT_TAG
from mnist_tracking._sagemaker.errors import is_missing, is_still_linked, translated
from mnist_tracking._sagemaker.experiments import require_experiment, trials_of
from mnist_tracking._sagemaker.hosting import delete_endpoint
from mnist_tracking._sagemaker.objects import delete_below
from mnist_tracking._sagemaker.search import iter_components
from mnist_tracking._sagemaker.training import stop_job, wait_for_job
from mnist_tracking.errors import ServiceError
from mnist_tracking.records import Component

if TYPE_CHECKING:
    from mnist_tracking.workspace import Workspace

__all__ = ["CleanupReport", "clean_experiment"]

_UNLINKED_WITHIN_S = 30.0


@attrs.frozen
class CleanupReport:
    """
    What cleaning up did.

    Attributes:
        deleted: Kind and name of what is gone, in order.
        kept: Kind, name and reason of what stayed.
        objects: How many S3 objects were deleted.
    """

    deleted: tuple[tuple[str, str], ...]
    kept: tuple[tuple[str, str, str], ...]
    objects: int

    def __str__(self) -> str:
        counts: dict[str, int] = {}
        for kind, _ in self.deleted:
            counts[kind] = counts.get(kind, 0) + 1
        parts = [f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in counts.items()]
        lines = ["deleted " + ", ".join([*parts, f"{self.objects} S3 objects"])]
        return "\n".join([*lines, *(f"kept {kind} {name}: {reason}" for kind, name, reason in self.kept)])


def clean_experiment(workspace: "Workspace", experiment: str, prefix: str) -> CleanupReport:
    """
    Delete what this library made for an experiment: endpoints first, components that trials share last.

    Stopped half-way, it carries on when called again: the experiment itself goes last.

    Args:
        workspace: Where it is.
        experiment: Its name.
        prefix: Where its objects are, ``s3://bucket/prefix/experiment``.

    Raises:
        NotFoundError: If there is no such experiment, or no more.
    """
    require_experiment(workspace, experiment)
    return _Cleanup(workspace, experiment, prefix).run()


@attrs.define
class _Cleanup:
    workspace: "Workspace"
    experiment: str
    prefix: str
    deleted: list[tuple[str, str]] = attrs.field(factory=list)
    kept: list[tuple[str, str, str]] = attrs.field(factory=list)

    @property
    def client(self) -> Any:
        return self.workspace.client("sagemaker")

    def run(self) -> CleanupReport:
        trials = self._trials()
        components = self._components()
        ours = [component for component in components if self._made(component)]
        self._stop_jobs(ours)
        self._delete_endpoints(ours)
        staying = [
            component
            for component in sorted(components, key=lambda c: len(c.trials))
            if not self._delete_component(component, trials, is_ours=component in ours)
        ]
        for name, is_ours in trials.items():
            self._delete_trial(name, is_ours=is_ours)
        objects = delete_below(self.workspace, f"{self.prefix}/", keep=_locations(staying))
        self._delete_experiment()
        return CleanupReport(tuple(self.deleted), tuple(self.kept), objects)

    def _trials(self) -> dict[str, bool]:
        """Return the experiment's trials, and whether this library made each."""
        return {name: self._is_tagged(arn) for name, arn in trials_of(self.workspace, self.experiment).items()}

    def _components(self) -> list[Component]:
        """Return the steps of the experiment's trials, and those prepared for trials that it has no more or not yet."""
        named = ({"Parents_ExperimentName": self.experiment}, {f"Tags.{EXPERIMENT_TAG}": self.experiment})
        return list({c.name: c for filters in named for c in iter_components(self.client, **filters)}.values())

    def _made(self, component: Component) -> bool:
        if CREATED_BY in component.tags:
            return True
        return component.source_arn is not None and self._is_tagged(component.source_arn)

    def _is_tagged(self, arn: str, *, if_missing: bool = False) -> bool:
        try:
            with translated():
                return any(tag["Key"] == CREATED_BY for tag in self.client.list_tags(ResourceArn=arn)["Tags"])
        except ServiceError as error:
            if not is_missing(error):
                raise
            return if_missing

    def _stop_jobs(self, components: Iterable[Component]) -> None:
        running = [c.job_name for c in components if c.job_name and c.status in ("InProgress", "Stopping")]
        for job_name in running:
            stop_job(self.workspace, job_name)
        for job_name in running:
            wait_for_job(self.workspace, job_name)

    def _delete_endpoints(self, components: Iterable[Component]) -> None:
        """Delete what was deployed; of an endpoint that is gone, the configuration and the model may be left."""
        for component in components:
            for artifact in component.outputs:
                _, is_endpoint, name = artifact.uri.rpartition(":endpoint/")
                if is_endpoint and self._is_tagged(artifact.uri, if_missing=True):
                    self.deleted += delete_endpoint(self.workspace, name)

    def _delete_component(self, component: Component, trials: dict[str, bool], *, is_ours: bool) -> bool:
        """Take a component out of our trials, and delete it if it is ours and nobody else has it."""
        for trial in component.trials:
            if trials.get(trial):
                with translated():
                    self.client.disassociate_trial_component(TrialName=trial, TrialComponentName=component.name)
        others = [trial for trial in component.trials if not trials.get(trial)]
        if not is_ours:
            self.kept.append(("trial component", component.name, "not made by mnist-tracking"))
        elif others:
            self.kept.append(("trial component", component.name, f"also in {', '.join(others)}"))
        else:
            self._delete("trial component", component.name, TrialComponentName=component.name)
        return is_ours and not others

    def _delete_trial(self, name: str, *, is_ours: bool) -> None:
        if is_ours:
            self._delete("trial", name, TrialName=name)
        else:
            self.kept.append(("trial", name, "not made by mnist-tracking"))

    def _delete_experiment(self) -> None:
        with translated():
            arn = self.client.describe_experiment(ExperimentName=self.experiment)["ExperimentArn"]
        if not self._is_tagged(arn):
            self.kept.append(("experiment", self.experiment, "not made by mnist-tracking"))
        elif any(kind == "trial" for kind, _, _ in self.kept):
            self.kept.append(("experiment", self.experiment, "it still has trials"))
        else:
            self._delete("experiment", self.experiment, ExperimentName=self.experiment)

    def _delete(self, kind: str, name: str, **arguments: str) -> None:
        """Delete one thing. The service may take a while to see that nothing hangs on it any more."""
        call, begun = getattr(self.client, f"delete_{kind.replace(' ', '_')}"), time.monotonic()
        while True:
            try:
                with translated():
                    call(**arguments)
            except ServiceError as error:
                if is_missing(error):
                    return
                if not is_still_linked(error) or time.monotonic() - begun > _UNLINKED_WITHIN_S:
                    raise
                time.sleep(self.workspace.poll_s)
            else:
                self.deleted.append((kind, name))
                return


def _locations(components: Iterable[Component]) -> list[str]:
    """Return where the data of components that stay are."""
    return [artifact.uri for c in components for artifact in (*c.inputs, *c.outputs)]
