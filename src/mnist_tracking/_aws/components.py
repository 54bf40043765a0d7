"""Trial components, recorded through the SDK's Tracker: every change is sent at once, and none is lost silently."""

import copy
import json
import mimetypes
import os
import threading
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from mnist_tracking._aws.account import Account
from mnist_tracking._aws.convert import metadata_to_aws, tags_to_aws
from mnist_tracking._aws.errors import translated
from mnist_tracking._aws.marks import mark
from mnist_tracking._aws.sdk import quiet_experiments
from mnist_tracking._aws.staging import check_names
from mnist_tracking._aws.storage import split_uri
from mnist_tracking._values.exact import exact_parameters
from mnist_tracking._values.files import is_home
from mnist_tracking._values.names import check_name, suggest_name
from mnist_tracking._values.provenance import CODE, program_code
from mnist_tracking._values.recordable import (
    MEDIA_TYPE,
    Kind,
    check_key,
    check_mapping,
    python_scalar,
    recordable,
    stored_form,
)
from mnist_tracking._values.records import ParameterValue, Status
from mnist_tracking._values.runtime import RUNTIME, runtime
from mnist_tracking._values.text import short_repr
from mnist_tracking.errors import ConfigError, MissingDependencyError, MnistTrackingError

Direction = Literal["input", "output"]
_LONGEST_MESSAGE = 1024
_LONGEST_URI = 2048
_SENT = ("parameters", "input_artifacts", "output_artifacts", "status", "start_time", "end_time")


def create_component(
    account: Account,
    name: str,
    display_name: str,
    tags: Mapping[str, str],
    *,
    parameters: Mapping[str, ParameterValue] | None = None,
    inputs: Mapping[str, str] | None = None,
    outputs: Mapping[str, str] | None = None,
) -> None:
    """
    Create a trial component with the provenance of this program, and with all that is known of it already.

    Args:
        account: Where to create it.
        name: Its name.
        display_name: The kind of step.
        tags: Its tags.
        parameters: What is recorded with it.
        inputs: The locations in S3 of its inputs, by name.
        outputs: The URIs of its outputs, by name.
    """
    code = program_code()
    provenance = {CODE: json.dumps(code), RUNTIME: json.dumps(runtime())}
    with translated():
        account.client("sagemaker").create_trial_component(
            TrialComponentName=name,
            DisplayName=display_name,
            Tags=tags_to_aws(tags),
            MetadataProperties=metadata_to_aws(code),
            Parameters={
                key: {"StringValue": value} if isinstance(value, str) else {"NumberValue": value}
                for key, value in {**provenance, **encode_parameters(parameters or {})}.items()
            },
            InputArtifacts={key: {"Value": uri, "MediaType": "s3/uri"} for key, uri in (inputs or {}).items()},
            OutputArtifacts={key: {"Value": uri} for key, uri in (outputs or {}).items()},
        )


class ComponentTracker:
    """
    Writes to an existing trial component. Safe to share between threads.

    Args:
        account: Where the component is.
        name: Its name.
        folder: The location of its files, ``s3://bucket/prefix``.

    Attributes:
        ended: The final status of the step; None until it ends.
        at_end: Reserved parameters to record when it ends.
    """

    def __init__(self, account: Account, name: str, folder: str) -> None:
        bucket, prefix = split_uri(folder)
        self.ended: Status | None = None
        self.at_end: dict[str, str] = {}
        self._account, self._name = account, name
        self._lock = threading.Lock()
        self._files: dict[str, Path] = {}
        with quiet_experiments(), translated():
            from smexperiments.tracker import Tracker

            self._tracker = Tracker.load(
                trial_component_name=name,
                artifact_bucket=bucket,
                artifact_prefix=prefix,
                sagemaker_boto_client=account.client("sagemaker"),
                boto3_session=account,  # the Tracker only gets its S3 client from it, which has the account's settings
            )

    @contextmanager
    def marked(self, parameters: Mapping[str, ParameterValue]) -> Iterator[None]:
        """Mark the step as started, with its parameters, and after the block as completed, failed or stopped."""
        self._start(parameters)
        try:
            yield
        except BaseException as error:
            status: Status = "Stopped" if isinstance(error, KeyboardInterrupt) else "Failed"
            try:
                self._finish(status, str(error) or type(error).__name__)
            except MnistTrackingError as second:  # the first error is the one to raise
                error.add_note(f"The step {self._name!r} could not be marked {status}: {second}")
            raise
        self._finish("Completed")

    def _start(self, parameters: Mapping[str, ParameterValue]) -> None:
        with self._changing() as tracker:
            _log_parameters(tracker, parameters)
            tracker.trial_component.start_time = datetime.now(UTC)
            self._set_status("InProgress")

    def _finish(self, status: Status, message: str = "") -> None:
        """Mark the step as ended, and link its files in the lineage graph."""
        self.ended = status
        with self._changing() as tracker:
            tracker.log_parameters(self.at_end)
            tracker.trial_component.end_time = datetime.now(UTC)
            self._set_status(status, message)
        with quiet_experiments(), translated():
            self._tracker._lineage_artifact_tracker.save()  # Tracker.close() would send the component once more

    def _set_status(self, status: Status, message: str = "") -> None:
        from smexperiments.api_types import TrialComponentStatus

        line = " ".join(message.split())[:_LONGEST_MESSAGE]  # SageMaker rejects a message of several lines
        details = {"message": line} if line else {}
        self._tracker.trial_component.status = TrialComponentStatus(primary_status=status, **details)

    def mark(self, values: Mapping[str, ParameterValue], removed: Iterable[str] = ()) -> None:
        """Set reserved parameters, and remove others; the Tracker does not handle them."""
        with self._lock:
            mark(self._account, self._name, values, removed)

    def parameters(self, values: Mapping[str, ParameterValue]) -> None:
        """Record parameters in a form that `decode_parameters` reads back."""
        checked = check_parameters("parameter", values)
        with self._changing() as tracker:
            _log_parameters(tracker, checked)

    def location(self, direction: Direction, name: str, uri: str, media_type: str | None = None) -> None:
        """
        Record the location of an input or output.

        Raises:
            ConfigError: If a component cannot store its name or its URI.
        """
        check_key(direction, name)
        _check_uri(uri)
        _check_media_type(media_type)
        with self._changing() as tracker:
            log = tracker.log_input if direction == "input" else tracker.log_output
            log(name, uri, media_type=media_type)

    def file(self, direction: Direction, path: Path, name: str | None = None, media_type: str | None = None) -> None:
        """
        Upload a file and record it; uploading the same file again replaces it.

        Raises:
            ConfigError: If its name is not allowed, it is not a file, or another file of the same name was uploaded,
                which it would replace.
        """
        title = suggest_name(path.name, 120) if name is None else check_name("artifact", name)
        _check_media_type(media_type)
        if not os.path.isfile(path):
            raise ConfigError(f"{str(path)!r} is not a file that can be uploaded.")
        check_names([path])
        if is_home(path.parent):
            raise ConfigError(f"{str(path)!r} belongs to the home of an embedded SageMaker.")
        with self._changing() as tracker:
            self._reserve(path)
            log = tracker.log_input_artifact if direction == "input" else tracker.log_output_artifact
            log(str(path), name=title, media_type=media_type or _guessed_media_type(path))

    def _reserve(self, path: Path) -> None:
        """Check that no other file of that name was uploaded, which this one would replace."""
        if self._files.setdefault(path.name, path.absolute()) != path.absolute():
            raise ConfigError(
                f"{str(path)!r} would replace {str(self._files[path.name])!r}. Give it another file name."
            )

    def chart(self, draw: Callable[..., None], name: str, *args: object) -> None:
        """
        Upload a table, curve or matrix that the Tracker draws, and record it.

        Raises:
            MissingDependencyError: If it needs scikit-learn, which is not installed.
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
        """Send what the block changes; a rejected change is undone, or every later one would be rejected with it."""
        with self._lock, quiet_experiments(), translated(), self._undone_on_error():
            try:
                yield self._tracker
            except (ValueError, TypeError) as error:  # the Tracker's own checks
                raise ConfigError(f"{error}".rstrip(".") + ".") from error
            self._tracker.trial_component.save()

    @contextmanager
    def _undone_on_error(self) -> Iterator[None]:
        """Undo the block's changes if it raises: to the component, its files, and the artifacts to link at the end."""
        lineage = self._tracker._lineage_artifact_tracker
        states = [
            *((self._tracker.trial_component, name) for name in _SENT),
            (self, "_files"),
            (lineage, "artifacts"),
        ]
        before = [copy.copy(getattr(owner, name)) for owner, name in states]
        try:
            yield
        except BaseException:
            for (owner, name), value in zip(states, before, strict=True):
                setattr(owner, name, value)
            raise


def _check_uri(uri: object) -> None:
    if not isinstance(uri, str) or uri.splitlines() != [uri] or len(uri) > _LONGEST_URI:
        raise ConfigError(
            f"The location {short_repr(uri)} is not allowed; expected a string of 1 to {_LONGEST_URI} characters "
            "on one line, such as 's3://bucket/key'."
        )


def _check_media_type(media_type: object) -> None:
    if media_type is not None and not (isinstance(media_type, str) and MEDIA_TYPE.fullmatch(media_type)):
        raise ConfigError(f"media_type={short_repr(media_type)}; expected a media type, such as 'text/csv'.")


def _guessed_media_type(path: Path) -> str | None:
    """Return the media type for a file name; a generic one if SageMaker does not allow it (too long, or with a dot)."""
    guessed = mimetypes.guess_type(path.name)[0]
    return guessed if guessed is None or MEDIA_TYPE.fullmatch(guessed) else "application/octet-stream"


def check_parameters(kind: Kind, values: Mapping[str, ParameterValue]) -> dict[str, ParameterValue]:
    """
    Return parameters, or hyperparameters, as Python scalars.

    Raises:
        ConfigError: If one cannot be recorded.
    """
    check_mapping(kind, values)
    return {name: recordable(kind, name, value) for name, value in values.items()}


def encode_parameters(values: Mapping[str, ParameterValue], known: Container[str] = ()) -> dict[str, str | float]:
    """
    Return parameters, and what preserves their exact values, in the form that a component stores.

    Args:
        values: What is recorded.
        known: The names of the component's parameters.

    Example:
        >>> encode_parameters({"shuffle": True, "lr": 2.0})
        {'shuffle': 'true', 'lr': 2.0, 'mnist-tracking:exact.lr': '2.0'}
    """
    return {**{name: stored_form(value) for name, value in values.items()}, **exact_parameters(values, known)}


def _log_parameters(tracker: Any, values: Mapping[str, ParameterValue]) -> None:
    tracker.log_parameters(encode_parameters(values, known=tracker.trial_component.parameters))


_A_TABLE = "a data frame, or a mapping of columns to their values, such as {'class': ['a', 'b'], 'f1': [0.9, 0.8]}"


def draw_table(tracker: Any, title: str, table: object) -> None:
    """
    Draw a table from a mapping of columns to their values, or a data frame.

    Raises:
        ConfigError: If it is neither, or its columns differ in length.
    """
    if isinstance(table, Mapping):
        tracker.log_table(title=title, values=_columns(table))
    elif hasattr(table, "columns") and hasattr(table, "reset_index"):
        tracker.log_table(
            title=title, data_frame=table.reset_index(drop=True)
        )  # the Tracker keeps only one row per index
    else:
        raise ConfigError(f"The table is {short_repr(table)}; expected {_A_TABLE}.")


def _columns(table: Mapping[object, object]) -> dict[str, list[object]]:
    columns = {str(name): _as_list(f"column {name!r}", values) for name, values in table.items()}
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name!r} has {length}" for name, length in lengths.items())
        raise ConfigError(f"The columns of the table differ in length: {shown}.")
    return columns


def draw_confusion_matrix(tracker: Any, title: str, truth: Iterable[object], predictions: Iterable[object]) -> None:
    """Draw how often each class was predicted for each true class."""
    tracker.log_confusion_matrix(*_pairs(truth, "predictions", predictions), title=title)


def draw_roc_curve(tracker: Any, title: str, truth: Iterable[object], scores: Iterable[float]) -> None:
    """Draw the true positive rate against the false positive rate."""
    tracker.log_roc_curve(*_pairs(truth, "scores", scores), title=title)


def draw_precision_recall(tracker: Any, title: str, truth: Iterable[object], scores: Iterable[float]) -> None:
    """Draw precision against recall."""
    tracker.log_precision_recall(*_pairs(truth, "scores", scores), title=title)


def _pairs(truth: object, name: str, others: object) -> tuple[list[object], list[object]]:
    """Return true classes and the values that belong to them, as two lists of the same length."""
    first, second = _as_list("truth", truth), _as_list(name, others)
    if len(first) != len(second) or not first:
        raise ConfigError(
            f"truth has {len(first)} values and {name} has {len(second)}; expected the same number, at least 1."
        )
    return first, second


def _as_list(what: str, values: object) -> list[object]:
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        raise ConfigError(f"{what} is {short_repr(values)}; expected a list of values.")
    return [python_scalar(value) for value in values]
