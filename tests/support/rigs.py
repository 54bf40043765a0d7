"""
The places where the calls of the contract tests can go, with their gaps as data.

With the variable `LIVE_RUN`, which ``scripts/live`` sets, the only place is an AWS account.
"""

import itertools
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import boto3
from botocore.config import Config
from botocore.loaders import Loader, create_loader
from tests.support.namespace import Namespace
from tests.support.recording import Recorder

from mnist_tracking._aws.errors import retry_momentary
from mnist_tracking.embedded import EmbeddedSageMaker

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker_metrics import SageMakerMetricsClient

T = TypeVar("T")
LIVE_RUN, LIVE_BUCKET, LIVE_ROLE = (f"MNIST_TRACKING_LIVE_{name}" for name in ("RUN", "BUCKET", "ROLE"))
"""The variables of a live run: its name, with which all names begin, its bucket, and the role of its jobs."""

LIVE_PAUSE = "MNIST_TRACKING_LIVE_PAUSE_S"
"""The seconds between two looks at a status; a search waits twice as long after the last change."""

LONGEST_WAIT_S = 1200
"""How long a job may take, from its creation to its end, and an endpoint until it is in service."""

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
        bucket: The bucket for what jobs and models read and write.
        role: The role of jobs and models.
        prefix: What begins the names that a test chooses for things it does not create by these clients.
        pause_s: How long to wait between two looks at a status.
        namespace: Changes the names in requests and responses, in an account that is not empty.
        recorder: Records the calls.
    """

    name: str
    session: boto3.Session
    lacks: frozenset[str] = frozenset()
    gaps: Mapping[str, str] = attrs.field(factory=dict)
    bucket: str = "contract"
    role: str = "arn:aws:iam::000000000000:role/mnist-tracking-embedded"
    prefix: str = ""
    pause_s: float = 0.02
    namespace: Namespace | None = None
    recorder: Recorder = attrs.field(factory=lambda: Recorder({}))
    _clients: dict[str, Any] = attrs.field(factory=dict, repr=False)

    def sagemaker(self) -> "SageMakerClient":
        client: SageMakerClient = self.client("sagemaker")
        return client

    def metrics(self) -> "SageMakerMetricsClient":
        client: SageMakerMetricsClient = self.client("sagemaker-metrics")
        return client

    def client(self, service: str) -> Any:
        """Return the client of a service, the same one each time."""
        if service not in self._clients:
            self._clients[service] = self._make_client(service)
        return self._clients[service]

    def _make_client(self, service: str) -> Any:
        config = Config(retries={"mode": "adaptive", "max_attempts": 10})
        client = self.session.client(service, config=config)  # type: ignore[call-overload]
        self.recorder.connect_first(client)
        if self.namespace is not None and service.startswith("sagemaker"):
            self.namespace.connect(client)
        if self.namespace is not None and service == "sagemaker":
            retry_momentary(client)  # links that were just removed may still be visible to a deletion
        self.recorder.connect_last(client)
        return client

    def image(self, kind: str) -> str:
        """Return the URI of AWS's PyTorch container for "training" or "inference", in most regions."""
        registry = f"763104351884.dkr.ecr.{self.session.region_name}.amazonaws.com"
        return f"{registry}/pytorch-{kind}:2.6.0-cpu-py312"

    def put(self, key: str, body: bytes | str) -> str:
        """Store an object and return its URI."""
        key = f"{self.prefix}{key}"
        self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body.encode() if isinstance(body, str) else body)
        return f"s3://{self.bucket}/{key}"

    def until(self, look: Callable[[], T | None]) -> T:
        """Look until there is something, and return it."""
        deadline = time.monotonic() + LONGEST_WAIT_S
        while (found := look()) is None:
            assert time.monotonic() < deadline
            time.sleep(self.pause_s)
        return found


@contextmanager
def embedded(home: Path) -> Iterator[Rig]:
    """The embedded SageMaker, in an empty folder."""
    engine = EmbeddedSageMaker(home, roles=(), trial_quota=300, component_quota=50)
    rig = Rig("embedded", engine.session())
    rig.session.client("s3").create_bucket(Bucket=rig.bucket)
    yield rig
    engine.close()


@contextmanager
def moto(_home: Path) -> Iterator[Rig]:
    """moto, as a second opinion."""
    from moto import mock_aws  # a second to import, for these tests alone

    with mock_aws():
        session = boto3.Session("key", "secret", region_name="us-east-1")
        session._session.register_component("data_loader", _loader)
        yield Rig("moto", session, lacks=_MOTO_LACKS, gaps=_MOTO_GAPS)


@contextmanager
def aws(_home: Path) -> Iterator[Rig]:
    """A real account, whose other contents the tests do not see. What they create is deleted by ``scripts/live``."""
    session, run, bucket, role = boto3.Session(), *(os.environ[name] for name in (LIVE_RUN, LIVE_BUCKET, LIVE_ROLE))
    prefix = f"{run}-{next(_numbers):03}-"
    recorder = Recorder(
        {
            prefix: "",
            bucket: "contract",
            role: "arn:aws:iam::000000000000:role/mnist-tracking-embedded",
            str(session.client("sts").get_caller_identity()["Account"]): "000000000000",
            str(session.region_name): "us-east-1",
        }
    )
    pause_s = float(os.environ.get(LIVE_PAUSE, "10"))
    yield Rig(
        "aws",
        session,
        lacks=frozenset({"empty account"}),
        bucket=bucket,
        role=role,
        prefix=prefix,
        pause_s=pause_s,
        namespace=Namespace(prefix, search_lag_s=2 * pause_s),
        recorder=recorder,
    )


_numbers = itertools.count()
RIGS: Mapping[str, Callable[[Path], AbstractContextManager[Rig]]] = (
    {"aws": aws} if LIVE_RUN in os.environ else {"embedded": embedded, "moto": moto}
)

_MOTO_LACKS = frozenset({"updates", "validation", "typed errors", "search", "metric rules", "lineage", "jobs"})
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
