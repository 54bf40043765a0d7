"""Which of an experiment's steps its later trials share, and which one recorded the data that its jobs read."""

from collections.abc import Iterable, Sequence

from mnist_tracking._values.records import Component

PREPROCESSING = "Preprocessing"
FINGERPRINT = "fingerprint"
"""The parameter that identifies the content of a recorded dataset."""

_INPUT_NAMES = ("dataset", "mnist-dataset")
_SPOILT = ("Failed", "Stopping", "Stopped")


def latest_good(steps: Iterable[Component]) -> dict[str, str]:
    """Return the components that later trials share, by display name, from shared steps in order of creation."""
    return {step.display_name: step.name for step in steps if step.status not in _SPOILT}


def latest_data(steps: Sequence[Component]) -> Component | None:
    """Return the step whose data later jobs read, from shared steps in order of creation."""
    return next((step for step in reversed(steps) if step.status not in _SPOILT and data_uri(step)), None)


def uploaded_data_uri(component: Component) -> str | None:
    """Return where a step uploaded its data; None if it recorded data that was in S3 already, or none."""
    uri = data_uri(component)
    return None if uri == component.parameters.get(FINGERPRINT) else uri


def data_uri(component: Component | None) -> str | None:
    """Return where the data is that a step recorded; None for any step that recorded none, whatever its name."""
    if component is None or FINGERPRINT not in component.parameters:
        return None
    return next((item.uri for item in component.inputs if item.name in _INPUT_NAMES), None)
