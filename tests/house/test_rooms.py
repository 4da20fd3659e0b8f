"""The house plan: who imports whom, how full a room is, where its plan hangs."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import sklearn_ext

PACKAGE = Path(sklearn_ext.__file__).parent
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
ROOMS = sorted({path.parent for path in PACKAGE.rglob("*.py")})
CROWDED = 14  # entries of a folder; "about a dozen"

# what each floor may stand on; whatever is named nowhere stands on all of them
BELOW = {"_core": {"_core"}, "_numerics": {"_core", "_numerics"}} | {
    family: {"_core", "_numerics", family} for family in sklearn_ext.FAMILIES
}


def name_of(path, root=PACKAGE):
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path, *, at_import=False):
    """Yield the modules that a file names; those run when it is imported, if asked."""
    tree = ast.parse(path.read_text())
    deferred = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            deferred |= {id(inner) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if at_import and id(node) in deferred:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def graph_of(root):
    """Map each module below a folder to those of them that its import runs."""
    names = {name_of(path, root): path for path in root.rglob("*.py")}
    return {
        name: {other for other in imports_of(path, at_import=True) if other in names}
        - {name, name.rpartition(".")[0]}  # a package is loaded before its modules
        for name, path in names.items()
        if path.name != "__init__.py"
    }


@pytest.mark.parametrize("root", [PACKAGE, BENCHMARKS], ids=lambda root: root.name)
def test_imports_form_no_cycle(root):
    try:
        order = list(TopologicalSorter(graph_of(root)).static_order())
    except CycleError as error:
        pytest.fail(f"imports run in a circle: {' -> '.join(error.args[1])}")
    assert order


def test_a_cycle_would_be_found():
    circle = {"a": {"b"}, "b": {"c"}, "c": {"a"}}
    with pytest.raises(CycleError):
        list(TopologicalSorter(circle).static_order())


def test_imports_within_functions_are_seen_only_when_asked(tmp_path):
    path = tmp_path / "some.py"
    path.write_text("import a\ndef f():\n    from b import c\n")
    assert list(imports_of(path, at_import=True)) == ["a"]
    assert set(imports_of(path)) == {"a", "b", "b.c"}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=name_of)
def test_floors_stand_on_those_below(path):
    floor = path.relative_to(PACKAGE).parts[0]
    for imported in imports_of(path):
        root, _, rest = imported.partition(".")
        below = rest.partition(".")[0]
        if root == PACKAGE.name and below in (*BELOW, "_tour", "onnx"):
            assert below in BELOW.get(floor, {below}), f"{name_of(path)}: {imported}"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=name_of)
def test_heavy_packages_stay_in_their_files(path):
    on_tour = path.relative_to(PACKAGE).parts[0] == "_tour"
    plots = path.name.endswith("_plots.py") or "_plots" in path.parts
    for imported in imports_of(path):
        assert not imported.startswith("matplotlib") or plots or on_tour
        parts = imported.split(".")
        if parts[0] == "sklearn" and any(part.startswith("_") for part in parts):
            assert path.name == "_compat.py", imported
    for imported in imports_of(path, at_import=True):
        root = imported.partition(".")[0]
        assert root not in ("torch", "skorch") or path.stem.endswith("_torch")
        assert root not in ("pandas", "polars") or on_tour


@pytest.mark.parametrize("room", ROOMS[1:], ids=name_of)  # the first is the house
def test_rooms_are_not_crowded(room):
    entries = [
        entry
        for entry in room.iterdir()
        if entry.suffix == ".py" or (entry.is_dir() and any(entry.glob("*.py")))
    ]
    assert len(entries) <= CROWDED, sorted(entry.name for entry in entries)


@pytest.mark.parametrize("room", ROOMS[1:], ids=name_of)
def test_the_plan_names_every_room(room):
    plan = ast.get_docstring(ast.parse((room / "__init__.py").read_text())) or ""
    for entry in room.iterdir():
        inside = entry.suffix == ".py" or (entry.is_dir() and any(entry.glob("*.py")))
        if inside and entry.name not in ("__init__.py", "__pycache__"):
            assert entry.stem in plan, f"{name_of(room)} does not say what {entry} is"
