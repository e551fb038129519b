"""What documents print below their commands is what the commands print; ``...`` is anything."""

import re
import shlex

import pytest
from places import ROOT
from typed_commands import gen, sefa

PAGES = [ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md")] + sorted(ROOT.glob("docs/*.md"))
PROGRAMS = (
    *("sefa", "python", "gen-sefa", "pip", "make", "git", "sed", "mkdir", "cp", ".ci/pin", "/tmp/"),
    *("timeout", "(ulimit", "docker", "eval ", "_SEFA_COMPLETE="),
)
NUMBER = re.compile(r"(?<![\w.])[+-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?(?!\w)")
SECONDS = re.compile(r"\d[\d.]* (?:s|min)\b")


def blocks(page):
    """The fenced blocks without a language of a page: each with whether it follows another one directly."""
    parts = re.split(r"^ *```(\w*)\n(.*?)^ *```\n", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for before, language, text in zip(parts[::3], parts[1::3], parts[2::3]):
        if not language:
            yield text.splitlines(), not before.strip()


def outputs():
    """Commands of a page in their order, and what the last one prints according to the page."""
    for page in PAGES:
        commands = []
        for lines, follows in blocks(page):
            if lines[0].startswith("$ "):
                yield page.name, [lines[0][2:]], lines[1:]
            elif follows:
                yield page.name, commands, lines
            else:
                commands = lines


def alike(said, printed):
    """Whether a line of a page is a printed line: equal words and whole numbers, decimals to 0.2 %; not times."""
    pattern = ".*".join(map(re.escape, NUMBER.sub("\0", said).split("...")))
    pattern = re.sub(r"(?:\\ )+", r"\\s+", pattern).replace(re.escape("\0"), r"([-+\d,.e]+)")
    numbers = re.fullmatch(pattern, printed.rstrip())
    if numbers is None:
        return False
    timed = SECONDS.findall(said)
    for one, other in zip(NUMBER.findall(said), numbers.groups()):
        if any(text.startswith(one) for text in timed):
            continue
        digits = len(one.partition(".")[2])
        if one != other and not (digits and float(other) == pytest.approx(float(one), rel=0.002, abs=2 * 10**-digits)):
            return False
    return True


def missing(said, printed):
    """The lines of a page that are not printed, in their order; a line ``...`` stands for any number of lines."""
    rest = iter(printed)
    return [line for line in said if line.strip() != "..." and not any(alike(line, one) for one in rest)]


@pytest.mark.parametrize(
    ("said", "printed", "same"),
    [
        ("    3     3  -0.9774", "    3     3  -0.9781", True),
        ("    3     3  -0.9774", "    3     3  +0.9774", False),
        ("    3     3  -0.9774", "    3     4  -0.9774", False),
        ("    3     3  -0.9774", "    3     3  -0.8774", False),
        (".../demo.pkl: 3,604,334 bytes", "/a/b/demo.pkl: 3,604,334 bytes", True),
        (".../demo.pkl: 3,604,334 bytes", "/a/b/demo.pkl: 3,604,335 bytes", False),
        ("20 components, 4.1 s", "20 components, 0.9 s", True),
        ("21 components, 4.1 s", "20 components, 4.1 s", False),
    ],
)
def test_how_lines_are_compared(said, printed, same):
    assert alike(said, printed) == same


def test_every_block_is_of_commands_or_compared():
    """A block of neither kind would be an output that no test compares."""
    for page in PAGES:
        for lines, follows in blocks(page):
            if follows or lines[0].startswith("$ "):
                continue
            starts = [line for line in lines if line.strip() and not line.startswith((" ", "#"))]
            odd = [line for line in starts if not line.strip().startswith(PROGRAMS)]
            assert not odd, f"{page.name}: {odd[0]}"


@pytest.mark.parametrize(("page", "commands", "said"), [pytest.param(*one, id=one[0]) for one in outputs()])
def test_what_pages_print_is_printed(tmp_path, monkeypatch, page, commands, said):
    monkeypatch.chdir(tmp_path)
    for command in commands:
        assert command.startswith("sefa "), command
        result = sefa(*shlex.split(command)[1:])
        assert result.exit_code == 0, result.output
    assert missing(said, result.stdout.splitlines()) == []


def test_the_pages_with_outputs_are_those_that_are_known():
    assert [page for page, _, _ in outputs()] == ["formats.md", "security.md"]


def test_stills_are_the_files_of_the_page(tmp_path, monkeypatch):
    page = (ROOT / "docs" / "editing.md").read_text(encoding="utf-8")
    (command,) = re.search(r"```\n(sefa edit .*)\n```", page).groups()
    folder, files = re.search(r"^    (sefa-out/\S+/)\n        (seed.*)\n", page, re.MULTILINE).groups()
    monkeypatch.chdir(tmp_path)
    result = sefa(*shlex.split(command)[1:])
    assert result.exit_code == 0, result.output
    first, last = files.split("...")
    made = {path.name for path in (tmp_path / folder).iterdir()}
    assert {*first.split(), *last.split()} <= made and len(made) == 4 * 2 + 2


def test_a_run_makes_the_files_of_the_readme(tmp_path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.partition("| made, in this order |")[2].partition("\n\n")[0]
    names = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    assert len(names) >= 6
    result = gen("--network", "demo", "-K", 1, "--seeds", 0, "--frames", 2, "--outdir", tmp_path)
    assert result.exit_code == 0, result.output
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")} == set(names)
    listed = [name for name in names if str(tmp_path / name) in result.stdout and name != "index.html"]
    places = [result.stdout.index(str(tmp_path / name)) for name in listed]
    assert len(listed) == 3 and places == sorted(places)
