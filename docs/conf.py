"""Sphinx configuration."""

from docutils.nodes import Element, Node
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

import mnist_tracking
from mnist_tracking.training.hyperparameters import hyperparameter_specs
from mnist_tracking.training.options import shown

project = "mnist-tracking"
author = "The mnist-tracking developers"
version = release = mnist_tracking.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
default_role = "any"
html_theme = "furo"
html_title = f"mnist-tracking {release}"
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["page.css"]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_format = "short"
autodoc_typehints_description_target = "documented"
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# without a network there is no index of other projects' pages to link to
nitpick_ignore_regex = [
    ("any", r"(boto3|time)\..*"),
    (
        "py:class",
        r"Where|Format|ExportFormat|datetime|timedelta|OnProgress|mnist_tracking\.results\.T",
    ),  # aliases and a variable have no place
    ("py:.*", r"(attrs|boto3|botocore|collections|datetime|numpy|npt|os|pandas|pathlib|pd|sagemaker|torch|typing)\..*"),
]


class HyperparameterTable(Directive):
    """The hyperparameters of the training program as a table, read from their record."""

    def run(self) -> list[Node]:
        lines = [".. list-table::", "   :header-rows: 1", "   :widths: 22 38 24 16", ""]
        rows = [("Name", "Meaning", "Possible", "Default (reference)")]
        for name, spec in hyperparameter_specs().items():
            fast, reference = (shown(spec.defaults[recipe]) for recipe in ("fast", "reference"))
            default = fast if fast == reference else f"{fast} ({reference})"
            rows.append((f"``{name}``", spec.meaning, spec.describe(), default))
        for row in rows:
            lines += [f"   {'*' if cell is row[0] else ' '} - {cell}" for cell in row]
        parent = Element()
        self.state.nested_parse(StringList(lines, "hyperparameters"), self.content_offset, parent)
        return parent.children


def setup(app: Sphinx) -> None:
    app.add_directive("hyperparameters", HyperparameterTable)
    app.connect("autodoc-process-docstring", _keep_sentence, priority=400)  # before napoleon
    app.connect("missing-reference", _link_public_name)


def _keep_sentence(_app: Sphinx, what: str, _name: str, _object: object, _options: object, lines: list[str]) -> None:
    """Break a property's first line after its colon: napoleon would take what comes before it for the type."""
    if what == "property":
        head, colon, tail = lines[0].partition(": ")
        lines[:1] = [f"{head}:", tail] if colon else [head]


def _link_public_name(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: Element) -> Element | None:
    """Send ``mnist_tracking.workspace.Workspace`` and ``Workspace`` to where ``mnist_tracking.Workspace`` is."""
    module, _, name = node.get("reftarget", "").rpartition(".")
    if node.get("refdomain") != "py" or not (module.startswith("mnist_tracking") or name in mnist_tracking.__all__):
        return None
    home = "mnist_tracking" if name in mnist_tracking.__all__ else module.rpartition(".")[0]
    domain = env.domains.python_domain
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", f"{home}.{name}", node, content)
