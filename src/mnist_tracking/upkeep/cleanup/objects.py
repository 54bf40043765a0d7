"""Plan which S3 objects of an experiment are deleted, and which are kept since something that stays uses them."""

from collections.abc import Iterator, Mapping
from functools import cached_property

import attrs

from mnist_tracking._aws.convert import code_uri
from mnist_tracking._aws.storage import location_of
from mnist_tracking._values.records import Component
from mnist_tracking.upkeep.cleanup.inventory import Inventory
from mnist_tracking.upkeep.cleanup.layout import Layout
from mnist_tracking.upkeep.cleanup.records import FOREIGN, KEPT_DATA, OBJECTS, UPLOAD, PlannedDeletion

__all__ = ["ObjectPlanner"]


@attrs.frozen(kw_only=True)
class ObjectPlanner:
    """
    Decides for each object in an inventory whether it is deleted.

    Attributes:
        inventory: Everything that exists of the experiment.
        layout: Where its objects are.
        components: The names of the components to delete.
        trials: The names of the trials to delete.
        kept_data: The names of the components whose data is to be kept.
        is_whole: Whether the whole experiment is to be deleted, and not some of its trials.
        keep_data: Whether to keep the uploaded datasets.
        include_foreign: Whether to delete what others created.
    """

    inventory: Inventory
    layout: Layout
    components: frozenset[str]
    trials: frozenset[str]
    kept_data: frozenset[str]
    is_whole: bool
    keep_data: bool
    include_foreign: bool

    def items(self) -> Iterator[PlannedDeletion]:
        """Yield the objects, grouped by folder and reason, and the unfinished uploads of objects to delete."""
        groups: dict[tuple[str, str], list[str]] = {}
        for uri in self.inventory.objects:
            if self._is_included(uri):
                groups.setdefault((self.layout.folder_of(uri), self._reason_to_keep(uri)), []).append(uri)
        for (folder, reason), uris in groups.items():
            yield PlannedDeletion(
                kind=OBJECTS,
                name=folder,
                trial=self._to_delete.get(folder.rstrip("/")),
                objects=len(uris),
                size_bytes=sum(self.inventory.objects[uri] for uri in uris),
                deletable=not reason,
                reason=reason,
                uris=tuple(uris),
            )
        for uri in self.inventory.uploads:
            if self._is_included(uri):
                reason = self._reason_to_keep(uri)
                yield PlannedDeletion(kind=UPLOAD, name=uri, deletable=not reason, reason=reason)

    def _is_included(self, uri: str) -> bool:
        return self.is_whole or location_of(uri, self._to_delete) is not None

    def _reason_to_keep(self, uri: str) -> str:
        location = location_of(uri, self._to_keep)
        if location is not None:
            return self._to_keep[location]
        return "" if self.include_foreign or self.layout.is_ours(uri) else FOREIGN

    @cached_property
    def _to_keep(self) -> Mapping[str, str]:
        """The locations to keep, each with its reason."""
        kept = {component.name: component for component in self.inventory.components if not self._deletes(component)}
        own = {
            uri: KEPT_DATA if name in self.kept_data else f"data of {name}"
            for name, component in kept.items()
            for uri in self.layout.data_of(component)
        }
        trials = [name for name in self.inventory.trials if name not in self.trials]
        jobs = {f"{self.layout.prefix}/jobs/{name}": f"data of {name}" for name in trials}
        data = {f"{self.layout.prefix}/data": KEPT_DATA} if self.keep_data else {}
        return {**self._used_elsewhere, **own, **jobs, **data}

    @cached_property
    def _used_elsewhere(self) -> Mapping[str, str]:
        """The locations that others use, each with its reason; for a model, its code is among them."""
        readers: dict[str, list[str]] = {}
        for reader in self.inventory.readers:
            for uri in reader.uris:
                readers.setdefault(uri, []).append(reader.description)
        used = {uri: _used_by(descriptions) for uri, descriptions in readers.items()}
        codes = {
            code: used[location]
            for component in self.inventory.components
            if (code := code_uri(component))
            for output in component.outputs
            if (location := location_of(output.uri, used))
        }
        return {**codes, **used}

    @cached_property
    def _to_delete(self) -> Mapping[str, str | None]:
        """The locations to delete, each with its trial if it belongs to one."""
        components = filter(self._deletes, self.inventory.components)
        return {
            **{uri: component.only_trial for component in components for uri in self.layout.folders_of(component)},
            **{f"{self.layout.prefix}/jobs/{name}": name for name in self.trials},
        }

    def _deletes(self, component: Component) -> bool:
        return component.name in self.components


def _used_by(readers: list[str]) -> str:
    """
    Return the reason to keep what is used elsewhere.

    Example:
        >>> _used_by(["trial deeper of experiment churn", "model live"])
        'used by trial deeper of experiment churn and 1 more'
    """
    first, *more = dict.fromkeys(readers)
    return f"used by {first}" + (f" and {len(more)} more" if more else "")
