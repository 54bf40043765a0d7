"""The places where the calls of the contract tests can go, with their gaps as data."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import boto3
from botocore.loaders import Loader, create_loader

from mnist_tracking.embedded import EmbeddedSageMaker

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker_metrics import SageMakerMetricsClient

_loader: Loader = create_loader()  # parsing SageMaker's service model takes longer than most tests


@attrs.frozen
class Rig:
    """
    One place where the calls can go.

    Attributes:
        name: Shown in the names of tests.
        session: Whose clients the tests call.
        lacks: Missing capabilities; tests that need one are skipped.
        gaps: Tests that fail, with the reason; each must fail, so that a fixed gap is noticed.
    """

    name: str
    session: boto3.Session
    lacks: frozenset[str] = frozenset()
    gaps: Mapping[str, str] = attrs.field(factory=dict)
    _clients: dict[str, Any] = attrs.field(factory=dict, repr=False)

    def sagemaker(self) -> "SageMakerClient":
        client: SageMakerClient = self._client("sagemaker")
        return client

    def metrics(self) -> "SageMakerMetricsClient":
        client: SageMakerMetricsClient = self._client("sagemaker-metrics")
        return client

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self.session.client(service)  # type: ignore[call-overload]
        return self._clients[service]


@contextmanager
def embedded(home: Path) -> Iterator[Rig]:
    """The embedded SageMaker, in an empty folder."""
    engine = EmbeddedSageMaker(home)
    yield Rig("embedded", engine.session())
    engine.close()


@contextmanager
def moto(_home: Path) -> Iterator[Rig]:
    """moto, as a second opinion."""
    from moto import mock_aws  # a second to import, for these tests alone

    with mock_aws():
        session = boto3.Session("key", "secret", region_name="us-east-1")
        session._session.register_component("data_loader", _loader)
        yield Rig("moto", session, lacks=_MOTO_LACKS, gaps=_MOTO_GAPS)


RIGS: Mapping[str, Callable[[Path], AbstractContextManager[Rig]]] = {"embedded": embedded, "moto": moto}

_MOTO_LACKS = frozenset({"updates", "validation", "typed errors", "search", "metric rules", "lineage"})
_ONE_TRIAL = "moto keeps only the last trial that a component was associated to"
_NO_MEMBERS = "moto forgets Description and DisplayName"
_NO_LISTS = "moto ignores how a list should be sorted, paged or limited"
_MOTO_GAPS: Mapping[str, str] = {
    "test_component_can_belong_to_several_trials": _ONE_TRIAL,
    "test_disassociated_component_leaves_only_that_trial": _ONE_TRIAL,
    "test_component_of_two_trials_is_listed_once_for_the_experiment": "moto ignores ExperimentName here",
    "test_update_merges_by_key": "moto replaces all parameters",
    "test_removal_wins_over_setting": "moto replaces all parameters, and fails on removing one that is not there",
    "test_created_experiment_is_described_as_given": _NO_MEMBERS,
    "test_display_name_defaults_to_the_name": _NO_MEMBERS,
    "test_created_trial_is_described_as_given": _NO_MEMBERS,
    "test_taken_name_is_rejected_in_both_wordings": "moto overwrites an experiment silently",
    "test_default_page_has_ten_newest_first": _NO_LISTS,
    "test_experiments_can_be_sorted_by_name": _NO_LISTS,
    "test_experiments_can_be_listed_by_creation_time": _NO_LISTS,
    "test_metric_is_summarised": "moto's StdDev is that of a population",
    "test_tags_given_at_creation_are_listed": "moto forgets the tags given at creation",
}
