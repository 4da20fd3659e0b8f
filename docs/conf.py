"""Sphinx configuration."""

import importlib
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]
os.environ.setdefault("OMP_NUM_THREADS", "2")

import sklearn_ext  # noqa: E402

project = "sklearn_ext"
copyright = "2026, the sklearn_ext developers"
release = version = sklearn_ext.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx-mathjax-offline",
    "sphinx_copybutton",
    "sphinx_design",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
    "numpydoc",
    "figures",  # ours: draws the benchmarks
    "studies",  # ours: draws what no story of the gallery has
]
exclude_patterns = [
    "_build",
    "_inventories",
    "benchmarks/tables",
    "benchmarks/pictures",
    "user_guide/pictures",
    "**/sg_execution_times.rst",
    "sg_execution_times.rst",
]
autosummary_generate = True
guide = ROOT / "docs" / "user_guide"
chapters = {  # what the pages below the overview of a family speak of, word by word
    family: {
        page.stem: set(re.findall(r"\w+", page.read_text()))
        for page in sorted(guide.glob(f"{family}_*.rst"))
    }
    for family in sklearn_ext.FAMILIES
}
autosummary_context = {"families": sklearn_ext.FAMILIES, "chapters": chapters}
autosummary_imported_members = True
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
autodoc_default_options = {"members": True, "inherited-members": True}
templates_path = ["_templates"]

sites = {
    "sklearn": "https://scikit-learn.org/stable",
    "numpy": "https://numpy.org/doc/stable",
    "scipy": "https://docs.scipy.org/doc/scipy",
    "pandas": "https://pandas.pydata.org/docs",
    "torch": "https://docs.pytorch.org/docs/stable",
    "skorch": "https://skorch.readthedocs.io/en/stable",
}
# the site's own inventory, or without a network the list of what our pages name
intersphinx_mapping = {
    name: (site, (None, f"_inventories/{name}.inv")) for name, site in sites.items()
}
intersphinx_timeout = 5

copybutton_exclude = ".linenos, .gp, .go"  # prompts and outputs stay behind

html_theme = "pydata_sphinx_theme"
html_title = "sklearn_ext"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_favicon = "_static/logo.svg"
html_theme_options = {
    "logo": {"image_light": "_static/logo.svg", "image_dark": "_static/logo.svg"},
    "show_prev_next": False,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
}
toc_object_entries_show_parents = "hide"
alone = (
    "installation",
    "getting_started",
    "which_estimator",
    "glossary",
    "changelog",
    "contributing",
)
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
    "backreferences_dir": "api/generated/examples",
    "show_signature": False,
    "reset_modules": ("matplotlib", "figures.house_style"),
}


# references into scikit-learn's own pages; a class of ours that inherits properties
# from there has their words in its own text
THEIRS = re.compile(r":(?:ref|term):`([^`<]+?)\s*(?:<[^`]*>)?`")
INHERITED = re.compile(r":term:`(fit)`")


def plain_references(app, what, name, obj, options, lines):
    """Keep the words of references into scikit-learn's own pages, drop the links."""
    module = getattr(getattr(obj, "fget", obj), "__module__", None) or ""
    pattern = THEIRS if module.startswith("sklearn.") else INHERITED
    lines[:] = [pattern.sub(_words, line) for line in lines]


def _words(reference):
    words = reference[1]  # a name that ends in an underscore would be a link again
    return f"``{words}``" if words.endswith("_") else words


def skip_inherited(app, what, name, obj, skip, options):
    """Leave out what classes of ours inherit from torch and from tuples."""
    of_torch = (getattr(obj, "__module__", None) or "").startswith("torch.")
    of_tuples = getattr(obj, "__objclass__", None) is tuple or str(
        getattr(obj, "__doc__", None)
    ).startswith("Alias for field number")
    return True if of_torch or of_tuples else None


def list_families(app, docname, source):
    """Fill in the families and their names where a page asks for them."""
    if docname in ("api/index", "user_guide/index"):
        source[0] = app.builder.templates.render_string(
            source[0],
            {
                "families": sklearn_ext.FAMILIES,
                "names": lambda f: importlib.import_module(f"sklearn_ext.{f}").__all__,
            },
        )


def setup(app):
    """Connect what this file defines."""
    app.connect("autodoc-skip-member", skip_inherited)
    app.connect("autodoc-process-docstring", plain_references)
    app.connect("source-read", list_families)
