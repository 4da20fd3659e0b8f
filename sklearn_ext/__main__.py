"""``python -m sklearn_ext`` says what is here; with ``tour`` it shows it at work."""

import argparse
import platform
from importlib import metadata

import sklearn_ext

PACKAGES = ("scikit-learn", "numpy", "scipy", "joblib")
EXTRAS = {
    "torch": ("torch", "skorch"),
    "plot": ("matplotlib",),
    "progress": ("rich",),
    "skops": ("skops",),
    "compiled": ("numba",),
    "onnx": ("skl2onnx", "onnxruntime"),
}


def main(arguments=None):
    """Parse the command line and run it."""
    parser = argparse.ArgumentParser(prog="python -m sklearn_ext", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    tour = commands.add_parser("tour", help="fit every family on real data")
    tour.add_argument("families", nargs="*", help="chapters; all when none is named")
    tour.add_argument("--output", default="tour.html", help="the HTML report")
    options = parser.parse_args(arguments)
    if options.command == "tour":
        from sklearn_ext._tour._run import tour as run

        try:
            run(options.families, output=options.output)
        except (ImportError, ValueError) as error:
            raise SystemExit(str(error)) from error
    else:
        print(_summary())


def _summary():
    lines = [
        f"sklearn_ext {sklearn_ext.__version__}, Python {platform.python_version()}"
    ]
    lines += [f"  {name} {metadata.version(name)}" for name in PACKAGES]
    lines += ["extras"]
    for extra, packages in EXTRAS.items():
        found = ", ".join(_found(name) for name in packages)
        lines.append(f"  {extra:10s}{found}")
    lines += ["estimators"]
    found = [(c.__module__.split(".")[1], n) for n, c in sklearn_ext.all_estimators()]
    lines += [f"  {family:18s}{name}" for family, name in sorted(found)]
    return "\n".join(lines)


def _found(name):
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return f"{name} missing"


if __name__ == "__main__":
    main()
