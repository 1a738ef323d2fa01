"""How the pages are built: `python -m sphinx -W -b html docs docs/_build`, with the extra `docs`."""

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

# Docstrings name things in single backquotes.
default_role = "code"
# Of estimators, what they have from scikit-learn is described there.
autodoc_default_options = {"members": True, "imported-members": True,
                           "inherited-members": "object, BaseEstimator, _MetadataRequester, ClassifierMixin, RegressorMixin",
                           "exclude-members": "set_fit_request, set_partial_fit_request, set_predict_request, set_score_request, get_metadata_routing"}
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_preserve_defaults = True
# lstmc.torch is described without PyTorch: what its modules have from it is described there.
autodoc_mock_imports = ["torch"]
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
