"""Who may import whom, and what importing the package must not cost."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from places import NOTHING_EDITABLE, ROOT

import sefa_plugin

PACKAGE = ROOT / "sefa_plugin"
# A process that sees this checkout only where a test puts it, even if it is installed in editable mode.

# Room -> rooms that it may import: the data's way, read backwards. A room is a folder of sefa_plugin, hooks/,
# third_party/, or one of the modules beside the rooms. A new room adds its row.
MAY_IMPORT = {
    "system": "",
    "generators": "",
    "third_party": "generators reading",
    "reading": "system",
    "media": "system",
    "hook": "reading system",
    "hooks": "hook reading generators",
    "networks": "hook hooks third_party reading system",
    "directions": "networks hook reading system",
    "rendering": "directions networks generators media reading system",
    "projecting": "rendering networks generators media reading system",
    "runs": "rendering directions networks media reading system",
    "evaluate": "study runs rendering directions networks media reading system",
    "batch": "evaluate runs rendering directions networks media reading system",
    "study": "studio runs media reading system",
    "studio": "projecting runs rendering directions networks media reading system",
    "commands": "batch study studio evaluate projecting runs rendering directions networks hook hooks media reading"
    " system",
    "start": "commands system",
    "__main__": "start",
}
BESIDE = {"hook", "start", "__init__", "__main__"}  # modules that are no rooms
FOLDERS = {"": PACKAGE, "hooks": ROOT / "hooks", "third_party": ROOT / "third_party"}


def modules() -> dict[str, Path]:
    """Every module of ours by its dotted name below ``sefa_plugin``; a package is named by its folder."""
    found = {}
    for prefix, folder in FOLDERS.items():
        for path in folder.rglob("*.py"):
            parts = [*([prefix] if prefix else []), *path.relative_to(folder).with_suffix("").parts]
            found[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)] = path
    return found


MODULES = modules()


def room(module: str) -> str:
    return module.split(".")[0]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(name: str, path: Path) -> set[tuple[str, bool]]:
    """Modules of ours that a module imports anywhere, and whether at run time (else only for a type checker)."""
    package = name if path.name == "__init__.py" and name != "__init__" else name.rpartition(".")[0]
    nodes = list(ast.walk(tree(path)))
    blocks = [node for node in nodes if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)]
    for_types = {id(node) for block in blocks for node in ast.walk(block)}
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names = [alias.name.removeprefix("sefa_plugin.") for alias in node.names if "sefa_plugin." in alias.name]
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".") if package else []
            if node.level:
                base = ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])
            elif (node.module or "").split(".")[0] == "sefa_plugin":
                base = node.module.removeprefix("sefa_plugin").lstrip(".")
            else:
                continue
            names = [f"{base}.{alias.name}" if base else alias.name for alias in node.names]
        else:
            continue
        for full in names:
            target = next((known for known in (full, full.rpartition(".")[0]) if known in MODULES), None)
            if target and target != name:
                found.add((target, id(node) not in for_types))
    return found


@cache
def graph() -> dict[str, set[tuple[str, bool]]]:
    """What each module imports, made by the tests that look at it."""
    return {name: imported(name, path) for name, path in MODULES.items()}


def doors(name: str) -> set[str]:
    """The modules of a room that others may import: those that its contract names, or all, where it names none."""
    path = PACKAGE / name / "__init__.py"
    contract = path.read_text(encoding="utf-8") if path.is_file() else ""
    listed = re.findall(r"``(\w+)``", contract.partition("Doors:")[2])
    return set(listed) or {module.split(".")[1] for module in MODULES if module.startswith(f"{name}.")}


def test_the_rooms_are_those_of_the_table():
    assert {room(name) for name in MODULES} == {*MAY_IMPORT, "__init__"}
    flat = {path.stem for path in PACKAGE.glob("*.py")}
    assert flat == BESIDE
    for folder in (path.parent for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE):
        body = ast.parse((folder / "__init__.py").read_text(encoding="utf-8")).body
        assert len(body) == 1 and ast.get_docstring(ast.Module(body, [])), f"{folder.name}: a contract, and no more"


@pytest.mark.parametrize("name", sorted(MAY_IMPORT))
def test_arrows_never_run_back(name):
    for module in (module for module in MODULES if room(module) == name):
        for target, _ in graph()[module]:
            assert room(target) in {name, *MAY_IMPORT[name].split()}, f"{module} imports {target}"


@pytest.mark.parametrize("name", sorted(MAY_IMPORT))
def test_only_doors_are_imported_from_another_room(name):
    for module in (module for module in MODULES if room(module) == name):
        for target, _ in graph()[module]:
            if room(target) != name and "." in target:
                assert target.split(".")[1] in doors(room(target)), f"{module} imports {target}, which is no door"


def test_every_door_is_there_and_is_used():
    used = {target for module in MODULES for target, _ in graph()[module] if room(target) != room(module)}
    for name in MAY_IMPORT:
        contract = PACKAGE / name / "__init__.py"
        if name == "commands" or not contract.is_file() or "``" not in contract.read_text().partition("Doors:")[2]:
            continue
        for door in doors(name):
            assert any(target == f"{name}.{door}" or target.startswith(f"{name}.{door}.") for target in used), door


def test_there_is_no_circle():
    state: dict[str, bool] = {}  # True while on the way

    def walk(name: str, way: tuple[str, ...]) -> None:
        assert not state.get(name), f"a circle: {' -> '.join([*way, name])}"
        if name in state:
            return
        state[name] = True
        for target, runs in sorted(graph()[name]):
            if runs:
                walk(target, (*way, name))
        state[name] = False

    for name in MODULES:
        walk(name, ())


def test_only_the_commands_import_click():
    for name, path in MODULES.items():
        nodes = list(ast.walk(tree(path)))
        plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        taken = plain | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
        assert room(name) == "commands" or not {"click"} & {(word or "").split(".")[0] for word in taken}, name


def run(code, **options):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, **options).stdout


def test_importing_the_package_loads_no_torch():
    heavy = "{'torch', 'numpy', 'click', 'imageio', 'PIL', 'safetensors'}"
    run(f"import sys, sefa_plugin; assert not {heavy} & set(sys.modules)")
    run("import sys, sefa_plugin.commands.cli; assert not {'torch', 'numpy', 'imageio'} & set(sys.modules)")


def test_nothing_calls_torch_load_or_unpickles():
    for path in [*PACKAGE.rglob("*.py"), *(ROOT / "hooks").rglob("*.py")]:
        if path.name == "unpickle.py":  # what --trust-pickle asks for, and nothing else calls
            continue
        nodes = list(ast.walk(tree(path)))
        names = {a.name for n in nodes if isinstance(n, ast.Import) for a in n.names}
        assert not names & {"pickle", "cPickle", "dill", "cloudpickle"}, path
        calls = {ast.unparse(n.func) for n in nodes if isinstance(n, ast.Call)}
        assert not calls & {"torch.load", "eval", "exec", "pickle.load", "pickle.loads"}, path
        loads = [ast.unparse(n) for n in nodes if isinstance(n, ast.Call) and ast.unparse(n.func) == "np.load"]
        assert all("allow_pickle=False" in load for load in loads), path
    for path in (ROOT / "demo").rglob("*.py"):
        assert "torch.load" not in path.read_text(encoding="utf-8"), path


def test_every_public_name_is_there():
    code = "import sefa_plugin as s; print([getattr(s, n).__name__ for n in s.__all__])"
    assert run(code).count("'") == 2 * len(sefa_plugin.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        sefa_plugin.nothing  # noqa: B018
    assert dir(sefa_plugin) == sorted(sefa_plugin.__all__)


def test_names_of_the_interface_are_not_hidden_by_modules():
    """``sefa_plugin.factorize`` must stay the function whatever has been imported before."""
    names = [path.stem for path in PACKAGE.glob("*.py")]
    assert not set(names) & set(sefa_plugin.__all__)


def test_a_bare_checkout_serves_hooks_and_nothing_else(tmp_path):
    """From any folder, with somebody else's ``hooks`` in the way, and no ``sefa_plugin.tests``."""
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "__init__.py").write_text("raise RuntimeError('not ours')\n")
    code = (
        NOTHING_EDITABLE + f"sys.path.insert(0, {str(tmp_path)!r}); sys.path.append({str(ROOT)!r})\n"
        "import importlib.util, sefa_plugin, sefa_plugin.hooks.stylegan3 as h, sefa_plugin.third_party\n"
        "assert importlib.util.find_spec('sefa_plugin.tests') is None\n"
        "assert importlib.util.find_spec('sefa_plugin.demo') is None\n"
        "print(h.__file__)"
    )
    assert Path(run(code, cwd=tmp_path).strip()) == ROOT / "hooks" / "stylegan3.py"


def test_a_copy_without_its_hooks_says_what_is_missing(tmp_path):
    import shutil

    shutil.copytree(PACKAGE, tmp_path / "sefa_plugin", ignore=shutil.ignore_patterns("__pycache__", "data"))
    shutil.copy(ROOT / "gen_sefa.py", tmp_path)
    network = ROOT / "tests" / "golden" / "sg3t-64.pkl"
    code = (
        NOTHING_EDITABLE + "import runpy\n"
        f"sys.argv = ['gen_sefa.py', '--network', {str(network)!r}]\n"
        "runpy.run_path('gen_sefa.py', run_name='__main__')"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("Error: the folder hooks/ is missing: copy it beside sefa_plugin/")
    shutil.copytree(ROOT / "hooks", tmp_path / "hooks")
    assert run("import sefa_plugin.hooks as h; print(h.__file__)", cwd=tmp_path).startswith(str(tmp_path))


@pytest.mark.hard
def test_the_wheel_holds_everything_it_needs(tmp_path):
    """Built and unpacked elsewhere: hooks, third_party and the bundled network are inside the package."""
    pytest.importorskip("build")
    import zipfile

    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(site)
    tops = {name.split("/")[0].split("-")[0] for name in names}
    assert tops == {"sefa_plugin"}
    assert {"sefa_plugin/data/demo.pkl", "sefa_plugin/data/predictor.safetensors"} <= set(names)
    assert "sefa_plugin/py.typed" in names
    assert {f"sefa_plugin/runs/page/page.{suffix}" for suffix in ("html.j2", "css", "js")} <= set(names)
    static = {f"sefa_plugin/studio/static/{path.name}" for path in (PACKAGE / "studio/static").iterdir()}
    assert len(static) > 8 and static <= set(names)
    study = {f"sefa_plugin/study/page/{path.name}" for path in (PACKAGE / "study/page").iterdir()}
    assert len(study) > 5 and study <= set(names)
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r})\n"
        "import sefa_plugin, sefa_plugin.hooks.stylegan3 as h, sefa_plugin.third_party.dnnlib\n"
        "import sefa_plugin.third_party.torch_utils.ops.filtered_lrelu\n"
        "from sefa_plugin.networks.opening import open_network\n"
        "assert open_network('demo').sizes['resolution'] == 64\n"
        "print(sefa_plugin.__file__, h.__file__)"
    )
    for place in run(code, cwd=tmp_path).split():
        assert place.startswith(str(site))
