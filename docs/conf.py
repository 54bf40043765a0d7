"""
Sphinx configuration.

The build needs no network. With ``DOCS_INTERSPHINX=1`` it fetches the inventories of Python, boto3, numpy and pandas,
and links their types.
"""

import os
import sys

import click
from docutils.nodes import Element, Node, Text
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

import mnist_tracking
import mnist_tracking.embedded
import mnist_tracking.mnist
import mnist_tracking.types
from mnist_tracking.training.hyperparameters import hyperparameter_specs
from mnist_tracking.training.options import shown

project = "mnist-tracking"
author = "The mnist-tracking developers"
version = release = mnist_tracking.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
default_role = "any"
smartquotes = False  # options of commands have two hyphens
html_theme = "furo"
html_title = f"mnist-tracking {release}"
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["page.css"]
copybutton_selector = "div:not(.highlight-text) > div.highlight > pre"  # what a program prints is not copied
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# these two are modules that go by a shorter name: autodoc imports what it documents by its public name
sys.modules |= {"mnist_tracking.plots": mnist_tracking.plots, "mnist_tracking.where": mnist_tracking.where}

autosummary_context = {
    "constructed": {
        "BestModelDeployer",
        "ExperimentRunner",
        "HyperparameterSweep",
        "JobSpec",
        "LineageTracer",
        "MetricDefinition",
        "Objective",
    },
    "extending": {"Leaderboard", "Workspace"},
}
python_use_unqualified_type_names = True
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "description"
autodoc_typehints_format = "short"
autodoc_typehints_description_target = "documented"
napoleon_numpy_docstring = False
napoleon_use_ivar = True

if os.environ.get("DOCS_INTERSPHINX"):
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "boto3": ("https://boto3.amazonaws.com/v1/documentation/api/latest", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "pandas": ("https://pandas.pydata.org/docs", None),
    }

# not linked without the inventories above
nitpick_ignore_regex = [
    ("any", r"(boto3|datetime|sagemaker|time)\..*"),
    (
        "py:class",
        r"Where|Format|ExportFormat|ParameterValue|datetime|timedelta|OnProgress"
        r"|AnyPruner|AnyStrategy|BasePruner|BaseSampler"
        r"|mnist_tracking\.reading\.results\.T|mnist_tracking\._values\.tables\.Table"
        r"|mnist_tracking\.experiments\.sweep\.conditions\.Condition",
    ),  # aliases, types of Optuna, a type variable and what only the library passes have no page
    ("py:.*", r"(attrs|boto3|botocore|collections|datetime|numpy|npt|os|pandas|pathlib|pd|sagemaker|torch|typing)\..*"),
]


class HyperparameterTable(Directive):
    """The hyperparameters of the training program as a table, read from their record."""

    def run(self) -> list[Node]:
        lines = [".. list-table::", "   :header-rows: 1", "   :widths: 22 38 24 16", ""]
        rows = [("Name", "Meaning", "Allowed values", "Default (reference)")]
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
    app.connect("sphinx-click-process-description", _format_examples)
    app.connect("sphinx-click-process-arguments", _leave_out)
    app.add_event("sphinx-click-process-envars")  # which sphinx-click emits, but declares under another name
    app.connect("sphinx-click-process-envars", _leave_out)


def _keep_sentence(_app: Sphinx, what: str, _name: str, _object: object, _options: object, lines: list[str]) -> None:
    """Keep napoleon from reading the words before a colon as a type, in properties and in sections of return values."""
    if what == "property":
        head, colon, tail = lines[0].partition(": ")
        lines[:1] = [f"{head}:", tail] if colon else [head]
    for section in ("Returns:", "Yields:"):
        place = lines.index(section) + 1 if section in lines else len(lines)
        for line in lines[place : place + 1]:
            indent = " " * (len(line) - len(line.lstrip()))
            head, space, _ = line.partition(":")[0].rpartition(" ")
            if ":" in line and head.strip():
                lines[place : place + 1] = [head, indent + line[len(head + space) :]]


def _format_examples(_app: Sphinx, _context: click.Context, lines: list[str]) -> None:
    """Turn the examples of a command's help, which sphinx-click shows as lines of prose, into a block of code."""
    start = next((place for place, line in enumerate(lines) if line.strip("| ") == "Examples:"), len(lines))
    examples = [line.removeprefix("|").strip() for line in lines[start + 1 :]]
    if examples:
        lines[start:] = [".. code-block:: sh", "", *(f"   {line}" for line in examples if line), ""]


def _leave_out(_app: Sphinx, _context: click.Context, lines: list[str]) -> None:
    """Leave out the arguments, which the usage shows, and the variables, which the page describes."""
    lines.clear()


PUBLIC = (
    mnist_tracking,
    mnist_tracking.types,
    mnist_tracking.mnist,
)  # where a name is documented, the first that has it


def _link_public_name(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: Element) -> Element | None:
    """Link ``mnist_tracking.workspace.Workspace`` and ``Workspace`` to ``mnist_tracking.Workspace``, and so on."""
    module, _, name = node.get("reftarget", "").rpartition(".")
    if name == "Account":  # the private base of Workspace
        name, content = "Workspace", Text("Workspace")
    name = {"SettingsOptions": "Settings"}.get(name, name)  # its keywords
    homes = [public.__name__ for public in PUBLIC if name in getattr(public, "__all__", vars(public))]
    if module.startswith("mnist_tracking.embedded"):
        homes.insert(0, "mnist_tracking.embedded")
    if node.get("refdomain") != "py" or not (module.startswith("mnist_tracking") or homes):
        return None
    home = homes[0] if homes else module.rpartition(".")[0]
    domain = env.domains.python_domain
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", f"{home}.{name}", node, content)
