"""One trial component through the real Tracker: every change is sent at once, and none is dropped in silence."""

import copy
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mnist_tracking._parameters import LONGEST_TEXT, encode, plain, scalar, shortened
from mnist_tracking._sagemaker.errors import translated
from mnist_tracking._sagemaker.experiments import aws_tags
from mnist_tracking._sagemaker.names import suggest_name
from mnist_tracking._sagemaker.sdk import quiet
from mnist_tracking.errors import ConfigError, MissingDependencyError
from mnist_tracking.records import Scalar, Status

if TYPE_CHECKING:
    from mnist_tracking.workspace import Workspace

Direction = Literal["input", "output"]
_LONGEST_MESSAGE = 1024
_SENT = ("parameters", "input_artifacts", "output_artifacts", "status", "start_time", "end_time")


def create_component(workspace: "Workspace", name: str, display_name: str, tags: Mapping[str, str]) -> None:
    """Create a trial component."""
    with quiet(), translated():
        from smexperiments.trial_component import TrialComponent

        TrialComponent.create(
            trial_component_name=name,
            display_name=display_name,
            sagemaker_boto_client=workspace.client("sagemaker"),
            tags=aws_tags(tags),
        )


def record_step(
    workspace: "Workspace",
    name: str,
    display_name: str,
    *,
    parameters: Mapping[str, Scalar],
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    tags: Mapping[str, str],
) -> None:
    """Record a step that is over as a component, in one update."""
    create_component(workspace, name, display_name, tags)
    client = workspace.client("sagemaker")
    with quiet(), translated():
        from smexperiments.tracker import Tracker

        with Tracker.load(trial_component_name=name, sagemaker_boto_client=client, boto3_session=workspace) as tracker:
            tracker.log_parameters(dict(parameters))
            for key, uri in inputs.items():
                tracker.log_input(key, uri, media_type="s3/uri")
            for key, uri in outputs.items():
                tracker.log_output(key, uri)


class ComponentTracker:
    """
    Writes to one trial component that exists. Safe to share between threads.

    Args:
        workspace: Where it is.
        name: The component.
        folder: Where its files go, ``s3://bucket/prefix``.
    """

    def __init__(self, workspace: "Workspace", name: str, folder: str) -> None:
        bucket, _, prefix = folder.removeprefix("s3://").partition("/")
        self._lock = threading.Lock()
        self._files: dict[str, Path] = {}
        with quiet(), translated():
            from smexperiments.tracker import Tracker

            self._tracker = Tracker.load(
                trial_component_name=name,
                artifact_bucket=bucket,
                artifact_prefix=prefix,
                sagemaker_boto_client=workspace.client("sagemaker"),
                boto3_session=workspace,  # asked for its S3 client alone, which has the workspace's settings
            )

    def start(self) -> None:
        """Mark the step as begun."""
        with self._changing() as tracker:
            tracker.trial_component.start_time = datetime.now(UTC)
            self._set_status("InProgress")

    def finish(self, status: Status, message: str = "") -> None:
        """Mark the step as ended, and record the lineage of its files."""
        with self._changing() as tracker:
            tracker.trial_component.end_time = datetime.now(UTC)
            self._set_status(status, message)
        with quiet(), translated():
            self._tracker.close()

    def _set_status(self, status: Status, message: str = "") -> None:
        from smexperiments.api_types import TrialComponentStatus

        line = " ".join(message.split())[:_LONGEST_MESSAGE]  # SageMaker refuses a message of several lines
        said = {"message": line} if line else {}
        self._tracker.trial_component.status = TrialComponentStatus(primary_status=status, **said)

    def parameters(self, values: Mapping[str, Scalar]) -> None:
        """Record parameters; `decode_parameter` gives back what was put in."""
        encoded = encode_parameters(values)
        with self._changing() as tracker:
            tracker.log_parameters(encoded)

    def location(self, direction: Direction, name: str, uri: str, media_type: str | None = None) -> None:
        """Record where something is that was read or written."""
        with self._changing() as tracker:
            log = tracker.log_input if direction == "input" else tracker.log_output
            log(name, uri, media_type=media_type)

    def file(self, direction: Direction, path: Path, name: str | None = None, media_type: str | None = None) -> None:
        """
        Upload a file and record it; the same file again replaces what was uploaded.

        Raises:
            ConfigError: If there is no such file, or another one of that file name was uploaded (S3 would lose it).
        """
        if not path.is_file():
            raise ConfigError(f"{str(path)!r} is no file that could be uploaded.")
        if self._files.setdefault(path.name, path.absolute()) != path.absolute():
            raise ConfigError(
                f"{str(path)!r} would replace {str(self._files[path.name])!r}. Give it another file name."
            )
        with self._changing() as tracker:
            log = tracker.log_input_artifact if direction == "input" else tracker.log_output_artifact
            log(str(path), name=name or suggest_name(path.name, 120), media_type=media_type)

    def chart(self, draw: Callable[..., None], name: str, *args: object) -> None:
        """
        Upload what the Tracker draws (a table, a curve, a matrix) and record it.

        Raises:
            MissingDependencyError: If it takes scikit-learn, and that is not installed.
        """
        title = suggest_name(name, 120)
        try:
            with self._changing() as tracker:
                draw(tracker, title, *args)
                drawn = tracker._lineage_artifact_tracker.artifacts[-1]
                tracker.log_output(drawn.name, drawn.source_uri, media_type="application/json")
        except ModuleNotFoundError as error:
            raise MissingDependencyError("scikit-learn", "demo") from error

    @contextmanager
    def _changing(self) -> Iterator[Any]:
        """Send what the block changes. What is refused is forgotten, or all that follows would be refused with it."""
        with self._lock, quiet(), translated(), _taken_back(self._tracker.trial_component):
            try:
                yield self._tracker
            except (ValueError, TypeError) as error:  # the Tracker's own checks
                raise ConfigError(f"{error}".rstrip(".") + ".") from error
            self._tracker.trial_component.save()


@contextmanager
def _taken_back(component: Any) -> Iterator[None]:
    """Undo what the block changes of a component, if the block fails."""
    before = {name: copy.copy(getattr(component, name)) for name in _SENT}
    try:
        yield
    except BaseException:
        for name, value in before.items():
            setattr(component, name, value)
        raise


def encode_parameters(values: Mapping[str, Scalar]) -> dict[str, str | float]:
    """
    Return parameters as a component keeps them.

    Raises:
        ConfigError: If one cannot be kept.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"The parameters are {shortened(values)}; give a mapping, such as {{'rows': 100}}.")
    return {name: encode_parameter(name, value) for name, value in values.items()}


def encode_parameter(name: str, value: object) -> str | float:
    """
    Return a value as a component keeps it. numpy's numbers are taken too.

    Raises:
        ConfigError: If it is no finite number, text, boolean or None, or too long.

    Example:
        >>> encode_parameter("shuffle", True), encode_parameter("lr", 0.1)
        ('true', 0.1)
    """
    encoded = encode(scalar(name, value))
    if encoded is None:
        raise ConfigError(
            f"The parameter {name!r} is {shortened(value)}; possible are finite numbers, and texts of at most "
            f"{LONGEST_TEXT} characters."
        )
    return encoded


def draw_table(tracker: Any, title: str, frame: Any) -> None:
    """Draw a mapping of columns to their values, or a frame."""
    if isinstance(frame, Mapping):
        columns = {str(name): [plain(value) for value in column] for name, column in frame.items()}
        tracker.log_table(title=title, values=columns)
    else:
        tracker.log_table(title=title, data_frame=frame.reset_index(drop=True))  # it keeps one row for each index


def draw_confusion_matrix(tracker: Any, title: str, truth: Iterable[object], answers: Iterable[object]) -> None:
    """Draw how often each class was taken for each."""
    tracker.log_confusion_matrix(list(truth), list(answers), title=title)


def draw_roc_curve(tracker: Any, title: str, truth: Iterable[object], scores: Iterable[float]) -> None:
    """Draw the true against the false positive rate."""
    tracker.log_roc_curve(list(truth), list(scores), title=title)


def draw_precision_recall(tracker: Any, title: str, truth: Iterable[object], scores: Iterable[float]) -> None:
    """Draw precision against recall."""
    tracker.log_precision_recall(list(truth), list(scores), title=title)
