import re
import sys

import pytest

from mnist_tracking import ConfigError
from mnist_tracking._values.dotted import check_dotted, resolve, resolve_known
from mnist_tracking.mnist.endpoint import predict_digits

ADAPTER = "mnist_tracking.mnist.endpoint:predict_digits"


def test_a_dotted_name_is_resolved() -> None:
    assert resolve("adapter", ADAPTER) is resolve_known(ADAPTER) is predict_digits


@pytest.mark.parametrize("name", ["digits", "module:", ":name", "module:a-b", "a:b:c", "a..b:c", "", None, 3])
def test_a_name_of_another_form_is_rejected(name: object) -> None:
    with pytest.raises(ConfigError, match=r"adapter=.*expected a dotted name"):
        check_dotted("adapter", name)


@pytest.mark.parametrize("name", ["no_such_module:name", "json:no_such_name"])
def test_what_cannot_be_imported_is_a_clear_error(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"adapter=.{re.escape(name)}. cannot be imported: "):
        resolve("adapter", name)


def test_a_tag_does_not_import_other_code() -> None:
    """A tag of an endpoint is data: it names this library's own adapters, or those of modules that are imported."""
    sys.modules.pop("antigravity", None)

    assert resolve_known("antigravity:webbrowser") is None
    assert "antigravity" not in sys.modules
    assert resolve_known("numpy/json") is None


@pytest.mark.parametrize(
    "name", ["mnist_tracking.embedded.engine:os.system", "mnist_tracking.mnist.datasets:os.system"]
)
def test_a_tag_reaches_only_what_a_module_defines(name: str) -> None:
    assert resolve_known(name) is None
