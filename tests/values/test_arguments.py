"""Templates of arguments: what they render, and what is rejected."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_tracking._values.arguments import command, parsed, rendered

VALUES: Mapping[str, Any] = {
    "lr": 1e-05,
    "amp": True,
    "nested": False,
    "resume": None,
    "layers": [64, 128],
    "dict": {"a": "x y"},
    "name": "",
}


@pytest.mark.parametrize(
    ("template", "arguments"),
    [
        (["fit", "--lr", "{lr}"], ["fit", "--lr", "1e-05"]),
        (["lr={lr}", "data={SM_CHANNEL_TRAIN}"], ["lr=1e-05", "data=/data"]),
        (["{amp:--amp}", "{nested:--nested}"], ["--amp"]),
        (["{amp:--amp|--noamp}", "{nested:--nested|--nonested}"], ["--amp", "--nonested"]),
        (["{amp:|}", "{resume:--resume}"], []),
        (["--resume={resume}", "--name={name}", "{name}"], ["--name=", ""]),
        (["--layers={layers}", "{dict}"], ["--layers=[64, 128]", '{"a": "x y"}']),
        (["{{literal}}", "{amp}"], ["{literal}", "True"]),
        (
            ["{lr:|}", "++{}={}"],
            ["++amp=True", '++dict={"a": "x y"}', "++layers=[64, 128]", "++name=", "++nested=False"],
        ),
    ],
)
def test_template_is_rendered(template: list[str], arguments: list[str]) -> None:
    assert list(rendered(template, VALUES, {"SM_CHANNEL_TRAIN": "/data"})) == arguments


@pytest.mark.parametrize("argument", ["{", "}", "{lr", "{lr!r}", "{}", "{}{}{}", "{:x}={}", "{lr}={}={}"])
def test_other_braces_are_rejected(argument: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parsed(argument)


@given(values=st.dictionaries(st.from_regex(r"[a-z_.]+", fullmatch=True), st.text() | st.integers() | st.booleans()))
def test_pattern_passes_every_value_once(values: dict[str, Any]) -> None:
    assert list(rendered(["{}={}"], values, {})) == [f"{name}={values[name]}" for name in sorted(values)]


def test_command_is_that_of_the_toolkit() -> None:
    assert command("sub/train.py", ["a b"], is_package=False)[1:] == ["sub/train.py", "a b"]
    assert command("train.py", ["x"], is_package=True)[1:] == ["-m", "train", "x"]
    for is_package in (True, False):
        found = command("train.sh", ["x"], is_package=is_package)
        assert found == ["/bin/sh", "-c", 'exec "./$0" "$@"', "train.sh", "x"]
