"""How the pages are built: `python -m sphinx -W -b html docs docs/_build`, with the extra `docs`."""

import importlib
import inspect

from sphinx.util import logging

import lstmc

project, author, copyright = "lstmc", "the lstmc developers", "the lstmc developers"
version = release = lstmc.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx-mathjax-offline", "numpydoc", "sphinx_copybutton"]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = "lstmc"
html_show_sphinx = False

# The modules whose public names the API reference has; lstmc.torch, which is described by hand, needs PyTorch.
MODULES = ("", "activations", "callbacks", "datasets", "distributed", "initializers", "layers", "losses", "metrics", "models", "nn", "optimizers",
           "optimizers.schedules", "regularizers", "sklearn", "training", "utils")

# Docstrings name things in single backquotes.
default_role = "code"
# Of estimators, what they have from scikit-learn is described there.
autodoc_default_options = {"members": True, "imported-members": True,
                           "inherited-members": "object, BaseEstimator, _MetadataRequester, ClassifierMixin, RegressorMixin",
                           "exclude-members": "set_fit_request, set_partial_fit_request, set_predict_request, set_score_request, "
                                              "get_metadata_routing, module_class"}
autodoc_member_order = "bysource"
# What a layer, loss or metric has from its base class is described there, once.
autodoc_inherit_docstrings = False
autodoc_typehints = "none"
autodoc_preserve_defaults = True
# lstmc.torch is described without PyTorch: what its modules have from it is described there.
autodoc_mock_imports = ["torch"]
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False


def without_reading_order(app, what, name, obj, options, lines):
    """Leave out what the docstring of a module says to those who read its files."""
    start = next((n for n, line in enumerate(lines) if what == "module" and line.startswith("Reading order")), None)
    if start is not None:
        end = next((n for n in range(start, len(lines)) if not lines[n]), len(lines))
        del lines[start:end]


def missing_names(app, env):
    """Warn of public names that no page describes under any of the names that they have."""
    described, known = set(env.domaindata["py"]["objects"]), {}
    for module in MODULES:
        module = importlib.import_module(f"lstmc.{module}".rstrip("."))
        for name in dir(module):
            thing = getattr(module, name)
            if not name.startswith("_") and not inspect.ismodule(thing):
                known.setdefault(id(thing), []).append(f"{module.__name__}.{name}")
    for names in known.values():
        if not described & set(names):
            logging.getLogger(__name__).warning("no page describes %s", names[0])


def setup(app):
    app.connect("autodoc-process-docstring", without_reading_order, priority=1)
    app.connect("env-check-consistency", missing_names)
