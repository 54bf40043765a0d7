"""Where the objects of an experiment are in S3, and which of them this library created."""

import re
from collections.abc import Iterator
from functools import cached_property

import attrs

from mnist_tracking._aws.convert import EXPERIMENT_TAG
from mnist_tracking._aws.storage import location_of
from mnist_tracking._values.names import is_generated
from mnist_tracking._values.records import Component
from mnist_tracking._values.shared import uploaded_data_uri
from mnist_tracking.upkeep.cleanup.inventory import Inventory
from mnist_tracking.upkeep.cleanup.readers import locations_of

__all__ = ["Layout"]

_DATASET = re.compile(r"[0-9a-f]{16}")


@attrs.frozen
class Layout:
    """
    The folders of an experiment.

    Attributes:
        inventory: Everything that exists of the experiment.
        prefix: The URI of its folder.
    """

    inventory: Inventory
    prefix: str

    def is_shared(self, component: Component) -> bool:
        """Whether a component was recorded for all trials of the experiment."""
        return component.tags.get(EXPERIMENT_TAG) == self.inventory.experiment

    def folders_of(self, component: Component) -> Iterator[str]:
        """Yield the folders that only this component writes to."""
        yield f"{self.prefix}/steps/{component.name}"
        if component.job_name:
            yield f"{self.prefix}/jobs/{component.job_name}"
        for name in _endpoints_of(component):
            yield f"{self.prefix}/models/{name}"
        if self.is_shared(component):
            yield from (artifact.uri.rstrip("/") for artifact in component.inputs)

    def data_of(self, component: Component) -> Iterator[str]:
        """Yield the locations of a component's data: its own folders, the artifacts it names, and its code."""
        yield from self.folders_of(component)
        yield from (uri.rstrip("/") for uri in locations_of(component))

    def folder_of(self, uri: str) -> str:
        """Return the folder of the job, step, dataset or model that an object belongs to."""
        *folders, _ = self._parts(uri)
        return "/".join([self.prefix, *folders[:2], ""])

    def is_ours(self, uri: str) -> bool:
        """
        Whether this library, or a job of it, has created an object, as far as the object's folder shows.

        That is the folder of a dataset; of a trial, step, job or endpoint that exists, or whose name was generated; or
        one that a step of this library names as its output, or as data that it uploaded.
        """
        *folders, _ = self._parts(uri)
        name = folders[1] if len(folders) > 1 else ""
        is_dataset = folders[:1] == ["data"] and _DATASET.fullmatch(name) is not None
        return is_dataset or name in self._names or is_generated(name) or location_of(uri, self._written) is not None

    @cached_property
    def _names(self) -> frozenset[str]:
        components = self.inventory.components
        jobs = (component.job_name for component in components if component.job_name)
        endpoints = (name for component in components for name in _endpoints_of(component))
        return frozenset([*self.inventory.trials, *(component.name for component in components), *jobs, *endpoints])

    @cached_property
    def _written(self) -> frozenset[str]:
        ours = [component for component in self.inventory.components if component.name in self.inventory.ours]
        outputs = (artifact.uri for component in ours for artifact in component.outputs)
        uploads = (uri for component in ours if (uri := uploaded_data_uri(component)))
        return frozenset(uri.rstrip("/") for uri in (*outputs, *uploads))

    def _parts(self, uri: str) -> list[str]:
        return uri.removeprefix(f"{self.prefix}/").split("/")


def _endpoints_of(component: Component) -> Iterator[str]:
    for artifact in component.outputs:
        _, is_endpoint, name = artifact.uri.rpartition(":endpoint/")
        if is_endpoint:
            yield name
