"""The package of docs/hooks.md, taken from the page and used through its entry point."""

import configparser
import os
import re
import subprocess
import sys

import pytest
from places import ROOT

PAGE = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder as ``pip install`` leaves it: the package, and its entry points beside it."""
    folder = tmp_path_factory.mktemp("site")
    package, about = folder / "sefa_toy", folder / "sefa_toy-1.0.dist-info"
    package.mkdir()
    about.mkdir()
    hook, generator, _ = blocks("python")
    (package / "__init__.py").write_text("")
    (package / "hook.py").write_text(hook, encoding="utf-8")
    (package / "generator.py").write_text(generator, encoding="utf-8")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: sefa-toy\nVersion: 1.0\n")
    (project,) = blocks("toml")
    (group,) = re.findall(r'\[project\.entry-points\."([\w.]+)"\]', project)
    entries = re.findall(r'^(\w+) = "([\w.]+:\w+)"$', project, re.MULTILINE)
    written = configparser.ConfigParser()
    written[group] = dict(entries)
    with open(about / "entry_points.txt", "w") as file:
        written.write(file)
    return folder


def run(code, site, cwd):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, env=env, capture_output=True, text=True)


REFUSALS = [
    ("del state['toy.map.bias']", "toy.map is missing or no affine layer"),
    ("state['toy.paint.weight'] = torch.ones(3)", "toy.paint is missing or no affine layer"),
    ("state['toy.style1.bias'] = torch.ones(9)", "toy.style1 is missing or no affine layer"),
    ("state['toy.map.weight'] = torch.ones(5, 8)\nstate['toy.map.bias'] = torch.ones(5)", "toy.map is not (6, 8)"),
    ("state['toy.other.bias'] = torch.ones(9)", "more tensors than a toy network has"),
    ("state['toy.style0.bias'][0] = float('nan')", "holds NaN or infinity"),
]
# What is checked after the page's last block, in the same process, for importing PyTorch takes seconds.
NUMBERS = """
from sefa_plugin import factorize, load_network, style_layers
import numpy as np
def check(name, value):
    print(name, bool(value))
G = load_network('toy.pt')
check('names', G.sefa.hook == 'toy' and G.sefa.mapping.name == 'mapping.fc')
weights = [state[f'toy.style{row}.weight'].numpy() for row in (0, 1)]
check('weights', all((layer.weight == weight).all() for layer, weight in zip(style_layers(G), weights)))
normed = np.concatenate(weights).astype('f8')
normed /= np.linalg.norm(normed, axis=1, keepdims=True)
axis = np.linalg.svd(normed)[2][0]
check('directions', abs(abs(factorize(G).vectors[0] @ axis) - 1) < 1e-6)
w = torch.tanh(torch.ones(1, 8) @ state['toy.map.weight'].T + state['toy.map.bias'])
check('w', torch.allclose(G.mapping(torch.ones(1, 8))[:, 0], w, atol=1e-6))
"""
REFUSED = f"""
import copy
whole = state
for change in {[change for change, _ in REFUSALS]!r}:
    state = copy.deepcopy(whole)
    exec(change)
    torch.save(state, 'odd.pt')
    try: load_network('odd.pt')
    except Exception as error: print(f'{{type(error).__name__}}: {{error}}')
"""


@pytest.fixture(scope="module")
def followed(site, tmp_path_factory):
    """The folder in which the page's last block was run, and what that, ``NUMBERS`` and ``REFUSED`` printed."""
    folder = tmp_path_factory.mktemp("followed")
    result = run("\nprint('---')\n".join([blocks("python")[2], NUMBERS, REFUSED]), site, folder)
    assert result.returncode == 0, result.stderr
    return folder, [part.splitlines() for part in result.stdout.split("---\n")]


def test_the_page_works_as_it_is_written(followed):
    opened, pictures = followed[1][0]
    assert opened == "toy 16 ['synthesis.style0', 'synthesis.style1']"
    assert pictures == "2 (16, 16, 3) uint8 True"


def test_its_numbers_are_those_of_the_file(followed):
    assert followed[1][1] == ["names True", "weights True", "directions True", "w True"]


def test_looking_at_its_files_needs_no_torch(site, followed):
    code = (
        "import sys\n"
        "from sefa_plugin.networks.opening import open_network\n"
        "assert open_network('toy.pt').hook.name == 'toy'\n"
        "assert not {'torch', 'numpy'} & set(sys.modules)\n"
    )
    result = run(code, site, followed[0])
    assert result.returncode == 0, result.stderr


def test_what_is_no_such_network_is_refused(followed):
    lines = followed[1][2]
    assert len(lines) == len(REFUSALS), lines
    for line, (_, says) in zip(lines, REFUSALS):
        assert line.startswith("HookError: odd.pt: ") and says in line
