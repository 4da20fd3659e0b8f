"""Print the lowest version of each dependency and extra, as constraints for pip.

They have wheels for the oldest Python only.
"""

import re
import tomllib
from pathlib import Path

# of other packages: what the lowest versions cannot live with
INDIRECT = [
    "pyparsing<3.3",  # warns matplotlib of names that it still calls
    "polars<1.33",  # the last whose names scikit-learn reads before 1.9, in silence
]


def lowest(requirement):
    """Return ``name==version`` for a lower bound, None where there is none."""
    found = re.match(r"\s*([A-Za-z0-9._-]+)(?:\[[^]]*])?.*?>=\s*([0-9.]+)", requirement)
    return found and "{}=={}".format(*found.groups())


def main():
    """Read pyproject.toml."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(line for extra in extras for line in extra)]
    print(*filter(None, map(lowest, wanted)), *INDIRECT, sep="\n")


if __name__ == "__main__":
    main()
