"""Settings of the documentation's site: `.ci/docs` builds it."""

from __future__ import annotations

import os
import sys
import warnings
from importlib.metadata import version as version_of
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
os.environ.setdefault("MPLBACKEND", "agg")

from gallery_figures import figures  # noqa: E402  (lies in _ext)

project = "circuitsim"
author = "the authors of circuitsim"
copyright = author
version = release = version_of("circuitsim")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
    "house_docstrings",  # before numpydoc, whose sections it prepares
    "numpydoc",
    "myst_parser",
    "repository_pages",
]
exclude_patterns = ["_ext", "gallery/*.ipynb", "gallery/*.py", "gallery/*.md5", "**/sg_execution_times.rst"]
suppress_warnings = ["config.cache"]  # the gallery's settings hold a function
default_role = "py:obj"
nitpicky = False

html_theme = "furo"
html_title = "circuitsim"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["light.js"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
pygments_style = pygments_dark_style = "friendly"

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

autodoc_typehints_format = "short"
autodoc_type_aliases = {name: name for name in ("Array", "DTypeLike", "ImageShape", "Parameters")}
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 72
python_display_short_literal_types = True
autosummary_generate = False
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
viewcode_line_numbers = False

sphinx_gallery_conf = {
    "examples_dirs": str(HERE / "../../examples/gallery"),
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "within_subsection_order": "FileNameSortKey",
    "image_scrapers": (figures,),
    "capture_repr": ("_repr_html_", "__repr__"),
    "ignore_repr_types": r"matplotlib\.|Figure|'list'|'tuple'|numpy\.",
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1000,
    "reset_modules": (),
    "abort_on_example_error": False,
    "remove_config_comments": True,
    "plot_gallery": os.environ.get("CIRCUITSIM_GALLERY", "True") == "True",
}

warnings.filterwarnings("ignore", message=".*FigureCanvasAgg is non-interactive.*")
warnings.filterwarnings("ignore", message="Unknown section", module="numpydoc")  # house_docstrings renames them
