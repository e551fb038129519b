"""Who may import whom, and what importing the package must not cost."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sefa_plugin

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "sefa_plugin"
# A process that sees this checkout only where a test puts it, even if it is installed in editable mode.
NOTHING_EDITABLE = (
    "import sys\nsys.meta_path = [f for f in sys.meta_path if 'editable' not in type(f).__module__ + repr(f)]\n"
)

# module -> modules of ours that it may import (the data's path runs from top to bottom)
ALLOWED = {
    "atomic": set(),
    "file_names": set(),
    "file_stamp": set(),
    "header_order": set(),
    "pickle_records": set(),
    "pickle_machine": {"pickle_records"},
    "inert_pickle": {"pickle_machine", "pickle_records"},
    "tensor_view": set(),
    "pictures": set(),
    "closed_form": set(),
    "regular_file": set(),
    "strict_json": set(),
    "zip_archive": {"pickle_records"},
    "torch_file": {"inert_pickle", "pickle_machine", "pickle_records", "tensor_view", "zip_archive"},
    "pickled_values": {"pickle_machine", "pickle_records", "tensor_view", "torch_file"},
    "network_walk": {"pickle_records", "pickled_values", "tensor_view"},
    "converted_file": {"atomic", "header_order", "pickle_records", "strict_json"},
    "network_record": {"file_names", "network_walk", "tensor_view"},
    "tf_networks": {"network_walk", "pickle_records", "pickled_values", "tensor_view"},
    "state_dicts": {"pickle_machine", "pickle_records", "pickled_values", "tensor_view"},
    "network_file": {
        "converted_file",
        "inert_pickle",
        "network_record",
        "network_walk",
        "pickle_machine",
        "pickle_records",
        "pickled_values",
        "regular_file",
        "state_dicts",
        "tf_networks",
        "torch_file",
    },
    "audit_names": {"pickle_records", "tensor_view"},
    "audit_book": {"audit_names", "hooks/known_sources", "network_walk", "pickle_machine", "pickle_records"},
    "audit_pickle": {
        "audit_archive",
        "audit_book",
        "audit_names",
        "inert_pickle",
        "pickle_machine",
        "pickle_records",
        "torch_file",
    },
    "audit_archive": {"audit_book", "audit_pickle", "zip_archive"},
    "audit": {"audit_archive", "audit_book", "audit_names", "audit_pickle", "converted_file", "regular_file"},
    "audit_text": {"audit", "audit_book", "audit_names", "pickle_records"},
    "hook": {"network_file", "pickle_records"},
    "generators/fused": set(),
    "generators/ops": {"generators/fused"},
    "generators/kaiser": set(),
    "generators/stylegan3_plan": set(),
    "generators/mapping": {"generators/ops"},
    "generators/prefixes": set(),
    "generators/stylegan2": {"generators/mapping", "generators/ops", "generators/prefixes"},
    "generators/stylegan_xl": {"generators/mapping", "generators/stylegan3", "generators/stylegan3_plan"},
    "generators/growing": set(),
    "generators/pggan": {"generators/growing", "generators/mapping"},
    "generators/stylegan1": {"generators/growing", "generators/mapping", "generators/ops", "generators/stylegan2"},
    "generators/stylegan3": {
        "generators/kaiser",
        "generators/mapping",
        "generators/ops",
        "generators/prefixes",
        "generators/stylegan2",
        "generators/stylegan3_plan",
    },
    "download": {"atomic"},
    "filling": set(),
    "memory": set(),
    "orbit": set(),
    "probe": {"hook"},
    "trusted_file": {"third_party/source_imports", "torch_file"},
    "embedded": {"orbit"},
    "measure": {"embedded", "hook", "network_record", "network_walk", "probe"},
    "live": {"embedded", "hook", "measure", "network_record", "probe"},
    "embedded_file": {"embedded", "hook", "measure", "network_record", "trusted_file"},
    "network": {
        "download",
        "embedded_file",
        "file_stamp",
        "hook",
        "hooks",
        "hooks/known_sources",
        "hooks/others",
        "network_file",
    },
    "building": {"filling", "hook", "live", "network", "network_file", "tensor_view"},
    "layers": {"hook"},
    "typed": set(),
    "directions_file": {"atomic", "header_order", "pickle_records", "regular_file", "spectrum", "strict_json"},
    "direction_names": {"typed"},
    "directions": {"direction_names", "directions_file", "layers"},
    "factorization": {"building", "closed_form", "directions", "hook", "layers", "threads"},
    "array_file": {"pickle_records", "regular_file", "zip_archive"},
    "inert_arrays": {"array_file", "network_file", "pickled_values", "state_dicts", "tensor_view"},
    "foreign_directions": {
        "array_file",
        "inert_arrays",
        "network_file",
        "pickle_records",
        "pickled_values",
        "regular_file",
        "strict_json",
    },
    "latent_files": {
        "array_file",
        "inert_arrays",
        "network_file",
        "pickle_records",
        "pickled_values",
        "regular_file",
    },
    "directions_import": {"closed_form", "directions", "factorization", "foreign_directions", "layers", "typed"},
    "directions_export": {"atomic", "directions", "header_order"},
    "spectrum": set(),
    "matching": {"spectrum"},
    "comparing": {"matching", "pickle_records"},
    "latents": set(),
    "precision": set(),
    "frames": {"generators/ops", "generators/prefixes", "live", "memory", "precision"},
    "edits": {"latents", "layers"},
    "camera": {"edits", "frames", "latent_files", "latents", "orbit"},
    "calibrate": {"camera", "frames"},
    "ranges": {"calibrate", "camera"},
    "lettering": set(),
    "captions": {"lettering", "pictures"},
    "spool": set(),
    "store": {"spool"},
    "mp4": {"atomic", "interrupts"},
    "gif": {"atomic", "spool"},
    "video": {"atomic", "gif", "mp4", "pictures"},
    "sheet": {"atomic", "lettering", "pictures"},
    "registration": set(),
    "describe": {"pictures", "registration"},
    "page_style": set(),
    "page_matrix": set(),
    "page": {"atomic", "page_matrix", "page_style", "pictures"},
    "record_file": {"strict_json"},
    "manifest": {"atomic", "record_file", "regular_file", ""},
    "film": {"latents"},
    "report_scores": {"manifest", "page_matrix", "strict_json"},
    "report": {
        "atomic",
        "describe",
        "directions",
        "layers",
        "manifest",
        "page",
        "regular_file",
        "report_scores",
        "spectrum",
        "",
    },
    "outputs": {"atomic", "camera", "manifest"},
    "pipeline": {
        "camera",
        "captions",
        "describe",
        "file_names",
        "film",
        "latents",
        "manifest",
        "outputs",
        "pictures",
        "ranges",
        "report",
        "sheet",
        "spool",
        "store",
        "video",
    },
    "keyframes": {"latents"},
    "animation": {"camera", "edits", "keyframes", "latents"},
    "recipe": {"atomic", "camera", "edits", "regular_file", "strict_json", "typed", ""},
    "editing": {
        "animation",
        "atomic",
        "camera",
        "captions",
        "film",
        "manifest",
        "outputs",
        "pictures",
        "recipe",
        "report",
        "spool",
        "video",
        "",
    },
    "plane": {
        "camera",
        "captions",
        "edits",
        "film",
        "keyframes",
        "latents",
        "manifest",
        "outputs",
        "pictures",
        "ranges",
        "report",
        "sheet",
        "video",
        "",
    },
    "naming": {"atomic", "directions", "directions_file", "manifest", "report", "spectrum"},
    "evaluate/__init__": set(),
    "evaluate/asking": {"memory"},
    "evaluate/interfacegan": {"array_file", "atomic", "regular_file"},
    "evaluate/ganspace": set(),
    "evaluate/chance": set(),
    "evaluate/measures": set(),
    "evaluate/bootstrap": set(),
    "evaluate/parts": {"array_file", "atomic"},
    "evaluate/folder": {"regular_file"},
    "evaluate/methods": {
        "building",
        "camera",
        "closed_form",
        "directions",
        "evaluate/chance",
        "evaluate/ganspace",
        "evaluate/interfacegan",
        "evaluate/sampling",
        "factorization",
        "layers",
        "typed",
    },
    "evaluate/bench": {
        "building",
        "calibrate",
        "camera",
        "evaluate/asking",
        "evaluate/parts",
        "evaluate/sampling",
        "evaluate/scores",
        "latents",
        "ranges",
    },
    "evaluate/summary": {"evaluate/bench", "evaluate/bootstrap", "evaluate/measures", ""},
    "evaluate/cells": set(),
    "evaluate/table": {"atomic", "evaluate/bootstrap", "evaluate/cells", "lettering", "pictures", "sheet"},
    "evaluate/boundaries": {"evaluate/bench", "file_names", "evaluate/interfacegan", "evaluate/methods"},
    "evaluate/baselines": {
        "evaluate/bench",
        "evaluate/bootstrap",
        "evaluate/measures",
        "evaluate/methods",
        "evaluate/summary",
        "evaluate/table",
    },
    "evaluate/hierarchy": {
        "building",
        "evaluate/bench",
        "evaluate/summary",
        "evaluate/table",
        "factorization",
        "layers",
    },
    "evaluate/truth": {
        "building",
        "evaluate/baselines",
        "evaluate/bench",
        "evaluate/bootstrap",
        "evaluate/measures",
        "evaluate/methods",
        "evaluate/summary",
        "evaluate/table",
        "factorization",
        "layers",
    },
    "evaluate/effects": {"evaluate/measures"},
    "evaluate/labels": {"evaluate/effects", "evaluate/measures", "typed"},
    "evaluate/heatmap": {"atomic", "lettering", "pictures", "sheet"},
    "evaluate/scores": {"array_file", "strict_json", "atomic", "evaluate/asking", "evaluate/sampling"},
    "evaluate/rescore": {
        "",
        "atomic",
        "evaluate/asking",
        "evaluate/cells",
        "evaluate/effects",
        "evaluate/heatmap",
        "evaluate/labels",
        "evaluate/sampling",
        "evaluate/scores",
    },
    "evaluate/names": {"directions", "evaluate/rescore", "manifest", "naming"},
    "evaluate/clip_scorer": {"evaluate/asking", "network_file", "pictures"},
    "evaluate/onnx_scorer": {"evaluate/asking", "pictures"},
    "evaluate/scorers": {"evaluate/asking", "evaluate/clip_scorer", "evaluate/onnx_scorer", "evaluate/predictor"},
    "evaluate/sampling": {"camera", "evaluate/asking", "frames", "latents"},
    "evaluate/predictor": {"atomic", "pictures", "regular_file"},
    "threads": set(),
    "environment": set(),
    "dropped_file": set(),
    "register": {"atomic", "dropped_file", ""},
    "interrupts": set(),
    "limits": {"atomic", "interrupts", "memory"},
    "command": {"environment", "interrupts", "limits", "memory", "pickle_records", "threads"},
    "options": {"limits"},
    "stages": None,  # everything below
    "formats_commands": None,
    "editing_stages": None,
    "editing_commands": None,
    "evaluate_commands": None,
    "evaluate_stage": None,
    "evaluate_tables_commands": None,
    "evaluate_finding_commands": None,
    "cli": None,
    "start": {"cli", "environment", "interrupts"},
    "__main__": {"start"},
    "__init__": set(),
    "generators/__init__": set(),
}


def imported(path: Path) -> set[str]:
    """Modules of ours that a file imports anywhere, as paths in the package."""
    here = path.parent.relative_to(PACKAGE).parts
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = here[: len(here) - node.level + 1]
            if node.module:
                found.add("/".join([*base, *node.module.split(".")]))
            else:
                known = {p.stem for p in path.parent.glob("*.py")}
                found |= {"/".join([*base, a.name]) if a.name in known else "" for a in node.names}
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_arrows_never_run_back(path):
    name = path.relative_to(PACKAGE).with_suffix("").as_posix()
    assert name in ALLOWED, f"say in ALLOWED what {name} may import"
    if ALLOWED[name] is not None:
        assert imported(path) <= ALLOWED[name]


def run(code, **options):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, **options).stdout


def test_importing_the_package_loads_no_torch():
    heavy = "{'torch', 'numpy', 'click', 'imageio', 'PIL', 'safetensors'}"
    run(f"import sys, sefa_plugin; assert not {heavy} & set(sys.modules)")
    run("import sys, sefa_plugin.cli; assert not {'torch', 'numpy', 'imageio'} & set(sys.modules)")


def test_nothing_calls_torch_load_or_unpickles():
    for path in [*PACKAGE.rglob("*.py"), *(ROOT / "hooks").rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        if path.name == "trusted_file.py":  # what --trust-pickle asks for, and nothing else calls
            continue
        names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
        assert not names & {"pickle", "cPickle", "dill", "cloudpickle"}, path
        calls = {ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
        assert not calls & {"torch.load", "eval", "exec", "pickle.load", "pickle.loads"}, path
    for path in (ROOT / "demo").rglob("*.py"):
        assert "torch.load" not in path.read_text(encoding="utf-8"), path


def test_every_public_name_is_there():
    code = "import sefa_plugin as s; print([getattr(s, n).__name__ for n in s.__all__])"
    assert run(code).count("'") == 2 * len(sefa_plugin.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        sefa_plugin.nothing  # noqa: B018
    assert set(sefa_plugin.__all__) <= set(dir(sefa_plugin))


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
    assert result.stderr.startswith("Error: the folder hooks/ is missing: copy it beside sefa_plugin/")
    shutil.copytree(ROOT / "hooks", tmp_path / "hooks")
    assert run("import sefa_plugin.hooks as h; print(h.__file__)", cwd=tmp_path).startswith(str(tmp_path))


@pytest.mark.slow
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
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r})\n"
        "import sefa_plugin, sefa_plugin.hooks.stylegan3 as h, sefa_plugin.third_party.dnnlib\n"
        "import sefa_plugin.third_party.torch_utils.ops.filtered_lrelu\n"
        "from sefa_plugin.network import open_network\n"
        "assert open_network('demo').sizes['resolution'] == 64\n"
        "print(sefa_plugin.__file__, h.__file__)"
    )
    for place in run(code, cwd=tmp_path).split():
        assert place.startswith(str(site))
