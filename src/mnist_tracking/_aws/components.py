"""One trial component through the real Tracker: every change is sent at once, and none is dropped in silence."""

import copy
import mimetypes
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.convert import tags_to_aws
from mnist_tracking._aws.errors import translated
from mnist_tracking._aws.sdk import quiet
from mnist_tracking._values.names import check_name, suggest_name
from mnist_tracking._values.recordable import (
    MEDIA_TYPE,
    Kind,
    check_key,
    check_mapping,
    python_scalar,
    recordable,
    stored_form,
)
from mnist_tracking._values.records import Scalar, Status
from mnist_tracking._values.text import short_repr
from mnist_tracking.errors import ConfigError, MissingDependencyError, MnistTrackingError

Direction = Literal["input", "output"]
_LONGEST_MESSAGE = 1024
_LONGEST_PLACE = 2048
_SENT = ("parameters", "input_artifacts", "output_artifacts", "status", "start_time", "end_time")


def create_component(account: Account, name: str, display_name: str, tags: Mapping[str, str]) -> None:
    """Create a trial component."""
    with quiet(), translated():
        from smexperiments.trial_component import TrialComponent

        TrialComponent.create(
            trial_component_name=name,
            display_name=display_name,
            sagemaker_boto_client=account.client("sagemaker"),
            tags=tags_to_aws(tags),
        )


def record_step(
    account: Account,
    name: str,
    display_name: str,
    *,
    parameters: Mapping[str, Scalar],
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    tags: Mapping[str, str],
) -> None:
    """Record a step that is over as a component, in one update."""
    create_component(account, name, display_name, tags)
    client = account.client("sagemaker")
    with quiet(), translated():
        from smexperiments.tracker import Tracker

        with Tracker.load(trial_component_name=name, sagemaker_boto_client=client, boto3_session=account) as tracker:
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

    Attributes:
        ended: What became of the step; None while it goes on.
    """

    def __init__(self, account: Account, name: str, folder: str) -> None:
        bucket, _, prefix = folder.removeprefix("s3://").partition("/")
        self.ended: Status | None = None
        self._name = name
        self._lock = threading.Lock()
        self._files: dict[str, Path] = {}
        with quiet(), translated():
            from smexperiments.tracker import Tracker

            self._tracker = Tracker.load(
                trial_component_name=name,
                artifact_bucket=bucket,
                artifact_prefix=prefix,
                sagemaker_boto_client=account.client("sagemaker"),
                boto3_session=account,  # asked for its S3 client alone, which has the workspace's settings
            )

    @contextmanager
    def marked(self, parameters: Mapping[str, Scalar]) -> Iterator[None]:
        """Mark the step as begun, with the parameters that are known by then, and after the block what became of it."""
        self._start(encode_parameters(parameters))
        try:
            yield
        except BaseException as error:
            status: Status = "Stopped" if isinstance(error, KeyboardInterrupt) else "Failed"
            try:
                self._finish(status, str(error) or type(error).__name__)
            except MnistTrackingError as second:  # the first error is the one to be told
                error.add_note(f"The step {self._name!r} could not be marked {status}: {second}")
            raise
        self._finish("Completed")

    def _start(self, encoded: Mapping[str, str | float]) -> None:
        with self._changing() as tracker:
            tracker.log_parameters(dict(encoded))
            tracker.trial_component.start_time = datetime.now(UTC)
            self._set_status("InProgress")

    def _finish(self, status: Status, message: str = "") -> None:
        """Mark the step as ended, and record the lineage of its files."""
        self.ended = status
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
        """
        Record where something is that was read or written.

        Raises:
            ConfigError: If its name or its place is none that a component keeps.
        """
        check_key(direction, name)
        _check_place(uri)
        _check_media_type(media_type)
        with self._changing() as tracker:
            log = tracker.log_input if direction == "input" else tracker.log_output
            log(name, uri, media_type=media_type)

    def file(self, direction: Direction, path: Path, name: str | None = None, media_type: str | None = None) -> None:
        """
        Upload a file and record it; the same file again replaces what was uploaded.

        Raises:
            ConfigError: If its name is refused, there is no such file, or another one of that file name was uploaded
                (S3 would lose it).
        """
        title = suggest_name(path.name, 120) if name is None else check_name("artifact", name)
        _check_media_type(media_type)
        if not os.path.isfile(path):
            raise ConfigError(f"{str(path)!r} is no file that could be uploaded.")
        if self._files.setdefault(path.name, path.absolute()) != path.absolute():
            raise ConfigError(
                f"{str(path)!r} would replace {str(self._files[path.name])!r}. Give it another file name."
            )
        with self._changing() as tracker:
            log = tracker.log_input_artifact if direction == "input" else tracker.log_output_artifact
            log(str(path), name=title, media_type=media_type or _guessed_media_type(path))

    def chart(self, draw: Callable[..., None], name: str, *args: object) -> None:
        """
        Upload what the Tracker draws (a table, a curve, a matrix) and record it.

        Raises:
            MissingDependencyError: If it takes scikit-learn, and that is not installed.
        """
        title = suggest_name(check_key("artifact", name), 120)
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


def _check_place(uri: object) -> None:
    if not isinstance(uri, str) or uri.splitlines() != [uri] or len(uri) > _LONGEST_PLACE:
        raise ConfigError(
            f"The place {short_repr(uri)} is refused: a text of 1 to {_LONGEST_PLACE} characters in one line is needed, "
            "such as 's3://bucket/key'."
        )


def _check_media_type(media_type: object) -> None:
    if media_type is not None and not (isinstance(media_type, str) and MEDIA_TYPE.fullmatch(media_type)):
        raise ConfigError(f"media_type={short_repr(media_type)}; one such as 'text/csv' is needed.")


def _guessed_media_type(path: Path) -> str | None:
    """Return the type that a file's name says, as far as SageMaker takes it: some are too long, or have a dot."""
    guessed = mimetypes.guess_type(path.name)[0]
    return guessed if guessed is None or MEDIA_TYPE.fullmatch(guessed) else "application/octet-stream"


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


def check_parameters(kind: Kind, values: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """
    Return parameters, or hyperparameters, as Python scalars.

    Raises:
        ConfigError: If one cannot be recorded.
    """
    check_mapping(kind, values)
    return {name: recordable(kind, name, value) for name, value in values.items()}


def encode_parameters(values: Mapping[str, Scalar]) -> dict[str, str | float]:
    """
    Return parameters as a component keeps them.

    Raises:
        ConfigError: If one cannot be kept: it is no finite number, text, boolean or None, or too long.

    Example:
        >>> encode_parameters({"shuffle": True, "lr": 0.1})
        {'shuffle': 'true', 'lr': 0.1}
    """
    return {name: stored_form(value) for name, value in check_parameters("parameter", values).items()}


_A_TABLE = "give a frame, or a mapping of columns to their values, such as {'class': ['a', 'b'], 'f1': [0.9, 0.8]}"


def draw_table(tracker: Any, title: str, table: object) -> None:
    """
    Draw a mapping of columns to their values, or a frame.

    Raises:
        ConfigError: If it is neither, or its columns are not equally long.
    """
    if isinstance(table, Mapping):
        tracker.log_table(title=title, values=_columns(table))
    elif hasattr(table, "columns") and hasattr(table, "reset_index"):
        tracker.log_table(title=title, data_frame=table.reset_index(drop=True))  # it keeps one row for each index
    else:
        raise ConfigError(f"The table is {short_repr(table)}; {_A_TABLE}.")


def _columns(table: Mapping[object, object]) -> dict[str, list[object]]:
    columns = {str(name): _listed(f"column {name!r}", values) for name, values in table.items()}
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name!r} has {length}" for name, length in lengths.items())
        raise ConfigError(f"The columns of the table are not equally long: {told}.")
    return columns


def draw_confusion_matrix(tracker: Any, title: str, truth: Iterable[object], predictions: Iterable[object]) -> None:
    """Draw how often each class was taken for each."""
    tracker.log_confusion_matrix(*_pairs(truth, "predictions", predictions), title=title)


def draw_roc_curve(tracker: Any, title: str, truth: Iterable[object], scores: Iterable[float]) -> None:
    """Draw the true against the false positive rate."""
    tracker.log_roc_curve(*_pairs(truth, "scores", scores), title=title)


def draw_precision_recall(tracker: Any, title: str, truth: Iterable[object], scores: Iterable[float]) -> None:
    """Draw precision against recall."""
    tracker.log_precision_recall(*_pairs(truth, "scores", scores), title=title)


def _pairs(truth: object, name: str, others: object) -> tuple[list[object], list[object]]:
    """Return the right classes and what stands beside them, one for one."""
    first, second = _listed("truth", truth), _listed(name, others)
    if len(first) != len(second) or not first:
        raise ConfigError(f"truth has {len(first)} values, and {name} {len(second)}; as many are needed, and some.")
    return first, second


def _listed(what: str, values: object) -> list[object]:
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        raise ConfigError(f"{what} is {short_repr(values)}; a list of values is needed.")
    return [python_scalar(value) for value in values]
