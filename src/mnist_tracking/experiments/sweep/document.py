"""Documents: YAML or JSON files whose errors name the line and the key."""

import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import attrs

from mnist_tracking._values.checks import check_path
from mnist_tracking._values.text import did_you_mean, short_repr
from mnist_tracking.errors import ConfigError

__all__ = ["Section", "read_document"]

_SCIENTIFIC = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$")
_NAMES = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")  # of keys
Keys = tuple[str | int, ...]


@attrs.frozen
class Section:
    """
    A mapping in a document, with the place of each of its keys.

    Attributes:
        values: The mapping.
        file: The name of the file; empty for a mapping that was not read from one.
        keys: The keys that lead to this mapping.
        lines: The line of each key in the document, by the keys that lead to it.
    """

    values: Mapping[str, Any]
    file: str = ""
    keys: Keys = ()
    lines: Mapping[Keys, int] = attrs.field(factory=dict, repr=False)

    def error(self, message: str, *keys: str | int) -> ConfigError:
        """Return an error that names the place of a key of this mapping; of the mapping itself without keys."""
        full = (*self.keys, *keys)
        line = next(
            (self.lines[full[:depth]] for depth in range(len(full), -1, -1) if full[:depth] in self.lines), None
        )
        place = self.file if line is None else f"{self.file}:{line}"
        return ConfigError(": ".join(filter(None, [place, ".".join(map(str, full)), message])))

    @contextmanager
    def at(self, *keys: str | int) -> Iterator[None]:
        """Name the place of a key in every ConfigError that the block raises, unless it names a place already."""
        try:
            yield
        except ConfigError as error:
            if self.file and str(error).startswith(f"{self.file}:"):
                raise
            raise self.error(str(error), *keys) from error

    def check_keys(self, known: Collection[str], unsupported: Mapping[str, str] | None = None) -> None:
        """
        Check that all keys are known.

        Args:
            known: The known keys.
            unsupported: Keys that mean something elsewhere, and why they cannot be used here.

        Raises:
            ConfigError: If a key is unsupported or unknown; the message names similar ones.
        """
        for key in self.values:
            if key in known:
                continue
            if unsupported and key in unsupported:
                raise self.error(f"{unsupported[key]}", key)
            hint = did_you_mean(key, known) or f" Available: {', '.join(map(repr, sorted(known)))}."
            raise self.error(f"unknown key.{hint}", key)

    def section(self, key: str) -> "Section":
        """Return the mapping of a key; ConfigError if it is not one, or empty."""
        found = self.values[key]
        if not isinstance(found, Mapping) or not found:
            raise self.error(f"expected keys and values, not {short_repr(found)}.", key)
        return Section(found, self.file, (*self.keys, key), self.lines)

    def sections(self, key: str) -> "list[Section]":
        """Return the mappings of a list; ConfigError if it is not a list of mappings."""
        found = self.values[key]
        if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
            raise self.error(f"expected a list of mappings, not {short_repr(found)}.", key)
        return [Section(each, self.file, (*self.keys, key, place), self.lines) for place, each in enumerate(found)]

    def string(self, key: str) -> str | None:
        """Return the string of a key; None if it is missing, ConfigError if it is something else."""
        found = self.values.get(key)
        if found is not None and not isinstance(found, str):
            raise self.error(f"expected a string, not {short_repr(found)}.", key)
        return found

    def number(self, key: str) -> float:
        """Return the number of a key; ConfigError if it is missing, or something else."""
        found = self.values.get(key)
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise self.error(f"expected a number, not {short_repr(found)}.", key)
        return found

    def count(self, key: str, *, least: int = 1) -> int | None:
        """Return the integer of a key; None if it is missing, ConfigError if it is something else or too small."""
        found = self.values.get(key)
        if found is not None and (isinstance(found, bool) or not isinstance(found, int) or found < least):
            raise self.error(f"expected an integer >= {least}, not {short_repr(found)}.", key)
        return found


def read_document(path: str | os.PathLike[str]) -> Section:
    """
    Read a YAML file, of which JSON is a subset.

    A number such as ``1e-4`` is one, although YAML 1.1 takes it for a string.

    Raises:
        ConfigError: If the file cannot be read, is not valid, does not contain a mapping, or has a key twice.
    """
    found = check_path("path", path)
    try:
        text = found.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{str(found)!r} cannot be read: {reason}.") from error
    import yaml  # type: ignore[import-untyped]

    reader = _Reader(str(found), text)
    try:
        values = reader.read()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = str(found) if mark is None else f"{found}:{mark.line + 1}"
        raise ConfigError(f"{place}: not valid YAML: {getattr(error, 'problem', None) or error}.") from error
    if not isinstance(values, Mapping):
        raise ConfigError(f"{found}: expected keys and values, not {short_repr(values)}.")
    return Section(values, str(found), (), reader.lines)


class _Reader:
    """Builds the values of a document, and notes the line of each key."""

    def __init__(self, file: str, text: str) -> None:
        import yaml

        class Loader(yaml.SafeLoader):  # type: ignore[misc]
            """Also reads the numbers that YAML 1.2 adds."""

        Loader.add_implicit_resolver("tag:yaml.org,2002:float", _SCIENTIFIC, list("-+0123456789"))
        self.lines: dict[Keys, int] = {}
        self._file = file
        self._loader = Loader(text)
        self._nodes = yaml.nodes
        self._open: list[object] = []  # the nodes around the one that is being read

    def read(self) -> Any:
        """Return the values; None for an empty document."""
        node = self._loader.get_single_node()
        return None if node is None else self._value(node, ())

    def _value(self, node: Any, keys: Keys) -> Any:
        if any(node is outer for outer in self._open):
            raise ConfigError(f"{self._file}:{node.start_mark.line + 1}: the value contains itself.")
        self._open.append(node)
        try:
            if isinstance(node, self._nodes.MappingNode):
                return self._mapping(node, keys)
            if isinstance(node, self._nodes.SequenceNode):
                return [self._item(item, (*keys, place)) for place, item in enumerate(node.value)]
            return self._scalar(node)
        finally:
            self._open.pop()

    def _item(self, node: Any, keys: Keys) -> Any:
        self.lines[keys] = node.start_mark.line + 1
        return self._value(node, keys)

    def _mapping(self, node: Any, keys: Keys) -> dict[str, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            name, place = key.value, f"{self._file}:{key.start_mark.line + 1}"
            if key.tag not in _NAMES:
                raise ConfigError(f"{place}: the key {short_repr(name)} is not a string; write it in quotes.")
            if name in seen:
                raise ConfigError(f"{place}: the key {name!r} occurs twice.")
            seen.add(name)
            self.lines[(*keys, name)] = key.start_mark.line + 1
        self._loader.flatten_mapping(node)  # resolves <<, whose keys come first
        return {key.value: self._value(value, (*keys, key.value)) for key, value in node.value}

    def _scalar(self, node: Any) -> Any:
        try:
            return self._loader.construct_object(node)
        except ValueError as error:  # such as a date that does not exist
            raise ConfigError(f"{self._file}:{node.start_mark.line + 1}: {error}.") from error
