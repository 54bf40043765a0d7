"""Sphinx configuration."""

import mnist_tracking

project = "mnist-tracking"
author = "The mnist-tracking developers"
version = release = mnist_tracking.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"mnist-tracking {release}"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
default_role = "code"
nitpick_ignore_regex = [("py:.*", r".*")]  # types of other projects, and lazily imported names, have no page here
