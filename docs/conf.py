"""Sphinx configuration."""

import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("OMP_NUM_THREADS", "2")

import sklearn_ext  # noqa: E402

project = "sklearn_ext"
copyright = "2026, the sklearn_ext developers"
release = version = sklearn_ext.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_design",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
    "numpydoc",
]
exclude_patterns = ["_build", "benchmarks/tables"]
autosummary_generate = True
autosummary_imported_members = True
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
autodoc_default_options = {"members": True, "inherited-members": True}
templates_path = ["_templates"]

html_theme = "pydata_sphinx_theme"
html_title = "sklearn_ext"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_theme_options = {
    "show_prev_next": False,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
}
toc_object_entries_show_parents = "hide"
alone = ("which_estimator", "glossary", "changelog", "contributing")
html_sidebars = {page: [] for page in alone}  # there is nothing to navigate
html_show_sourcelink = False

folders = [p for p in (ROOT / "examples").iterdir() if p.is_dir()]
stories = sorted(f"../examples/{p.name}" for p in folders)
sphinx_gallery_conf = {
    "examples_dirs": ["../examples"],
    "gallery_dirs": ["auto_examples"],
    "filename_pattern": r"/plot_",
    "nested_sections": True,
    "subsection_order": stories.index,
    "within_subsection_order": "FileNameSortKey",
    "matplotlib_animations": False,
    "plot_gallery": "True",
    "abort_on_example_error": True,
    "show_memory": False,
    "remove_config_comments": True,
    "doc_module": ("sklearn_ext",),
    "reference_url": {"sklearn_ext": None},
    "backreferences_dir": None,
    "show_signature": False,
    "reset_modules": ("matplotlib",),
}


def plain_references(app, what, name, obj, options, lines):
    """Keep the words of references into scikit-learn's own pages, drop the links."""
    if getattr(obj, "__module__", None) and obj.__module__.startswith("sklearn."):
        lines[:] = [
            re.sub(r":(?:ref|term):`([^`<]+?)\s*(?:<[^`]*>)?`", r"\1", line)
            for line in lines
        ]


def skip_inherited(app, what, name, obj, skip, options):
    """Leave out what classes of ours inherit from torch and from tuples."""
    of_torch = (getattr(obj, "__module__", None) or "").startswith("torch.")
    of_tuples = getattr(obj, "__objclass__", None) is tuple or str(
        getattr(obj, "__doc__", None)
    ).startswith("Alias for field number")
    return True if of_torch or of_tuples else None


def setup(app):
    """Connect what this file defines."""
    app.connect("autodoc-skip-member", skip_inherited)
    app.connect("autodoc-process-docstring", plain_references)
