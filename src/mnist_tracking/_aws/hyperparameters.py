"""The exact hyperparameters of jobs that other tools started, which their components do not preserve."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from mnist_tracking._aws.convert import JOB_COMPONENT, component_from_aws, exact_given
from mnist_tracking._aws.errors import if_exists, translated
from mnist_tracking._values.provenance import JOB_CODE
from mnist_tracking._values.records import Component

_PAGE = 100
_NAMES_PER_FILTER = 15  # a name has up to 63 characters, and the value of a filter up to 1024


def exact_components(client: Any, results: Iterable[Mapping[str, Any]]) -> Iterator[Component]:
    """
    Convert trial components, as Search returns them, page by page.

    The component of a job has a whole number for 2.0 and 2 alike, and the nearest double of a large integer. If this
    library did not start the job, and so preserved neither, one search for each page returns the hyperparameters of
    its jobs as they were given. A job that it does not return yet is read by its component.
    """
    pending = iter(results)
    while found := [result["TrialComponent"] for result in islice(pending, _PAGE)]:
        given = _hyperparameters(client, [name for item in found if (name := _uncertain_job(item))])
        for item in found:
            yield _with_exact(item, given.get(_uncertain_job(item) or "", {}))


def exact_component(client: Any, described: Mapping[str, Any]) -> Component:
    """Convert a trial component, as DescribeTrialComponent returns it; its job is described if that is needed."""
    job = _uncertain_job(described)
    found = None if job is None else if_exists(lambda: client.describe_training_job(TrainingJobName=job))
    return _with_exact(described, (found or {}).get("HyperParameters", {}))


def _with_exact(component: Mapping[str, Any], given: Mapping[str, str]) -> Component:
    """Convert a trial component whose job was given these hyperparameters."""
    return component_from_aws({**component, "Parameters": {**component.get("Parameters", {}), **exact_given(given)}})


def _uncertain_job(component: Mapping[str, Any]) -> str | None:
    """Return the job whose hyperparameters its component may not have as they were given."""
    parameters = component.get("Parameters", {})
    is_job = ":training-job/" in component.get("Source", {}).get("SourceArn", "")
    numbers = (v["NumberValue"] for k, v in parameters.items() if "NumberValue" in v and not k.startswith("SageMaker."))
    if not is_job or JOB_CODE in parameters or not any(float(number).is_integer() for number in numbers):
        return None
    return str(component["TrialComponentName"]).removesuffix(JOB_COMPONENT)


def _hyperparameters(client: Any, jobs: list[str]) -> dict[str, Mapping[str, str]]:
    """Return the hyperparameters of jobs, of at most a page, by the job's name."""
    if not jobs:
        return {}
    groups = (jobs[start : start + _NAMES_PER_FILTER] for start in range(0, len(jobs), _NAMES_PER_FILTER))
    filters = [{"Name": "TrainingJobName", "Operator": "In", "Value": ",".join(group)} for group in groups]
    with translated():
        found = client.search(
            Resource="TrainingJob", SearchExpression={"Filters": filters, "Operator": "Or"}, MaxResults=_PAGE
        )
    described = (result["TrainingJob"] for result in found["Results"])
    return {job["TrainingJobName"]: job.get("HyperParameters", {}) for job in described}
