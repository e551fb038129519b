"""Words that no option takes, and options given twice: the line says what to type."""

from types import SimpleNamespace

import pytest
from typed_commands import gen, refused, sefa

from sefa_plugin.commands import arguments, cli


@pytest.mark.parametrize(
    ("command", "words", "says"),
    [
        (gen, "demo", "type: gen-sefa --network demo"),
        (gen, "ffhq.pkl --seeds 1", "type: gen-sefa --network ffhq.pkl"),
        (gen, "https://host.invalid/x.pkl", "--network https://host.invalid/x.pkl"),
        (gen, "render --network demo", "type: sefa render"),
        (gen, "--network a.pkl b.pkl c.pkl", "--network: takes one file, 3 were given; run the command once for each"),
        (gen, "a.pkl b.pkl", 'for file in *.pkl; do gen-sefa --network "$file"; done'),
        (gen, "--network a.pkl b.pkl", 'for file in *.pkl; do gen-sefa --network "$file"; done'),
        (gen, "--network demo --projected-w=a.npz b.npz", "--projected-w: takes one file, 2 were given"),
        (gen, "--network demo --network b.pkl", "--network: given twice; run the command once for each"),
        (gen, "--network demo --seeds 1 --seeds 2", "--seeds: given twice; type one list, separated by commas"),
        (gen, "--network demo --layers coarse --layers fine", "--layers: given twice; type one list"),
        (gen, "--network demo --seeds 0 1 2", "1: belongs to no option; lists are typed with commas"),
        (gen, "--network demo --overwrite x.pkl", "x.pkl: belongs to no option"),
        (gen, "--network https://host.invalid/x.pkl --sha256 ab", "'ab': expected the 64 hex digits of a SHA-256"),
        (gen, "--seeds 1", "Missing option '--network' FILE|URL; see gen-sefa --help"),
        (sefa, "ffhq.pkl", "a command comes first, like: sefa render --network ffhq.pkl"),
        (sefa, "rendr", "rendr: is no command of `sefa`; type: sefa render"),
        (sefa, "xyz", "there are render, sheet, demo"),
        (sefa, "--network demo", "a command comes first, like: sefa render --network"),
        (sefa, "--nonsense", "--nonsense"),
        (sefa, "evaluate baseline", "is no command of `sefa evaluate`; type: sefa evaluate baselines"),
        (sefa, "info a.pkl b.pkl", "FILE: takes one file, 2 were given; run the command once for each, like: for file"),
        (sefa, "info", "Missing argument 'FILE'; see sefa info --help"),
        (sefa, "compare a.pkl", "Missing argument 'B'"),
    ],
)
def test_wrong_turns_have_a_way_on(command, words, says):
    refused(command(*words.split()), 2, says)


def test_the_loop_is_that_of_the_system(monkeypatch):
    monkeypatch.setattr(arguments, "os", SimpleNamespace(name="nt"))
    refused(sefa("info", "a.pkl", "b.pkl"), 2, 'for %f in (*.pkl) do sefa info "%f"')


def test_options_of_one_value_may_come_again():
    """The last one counts, so that an alias with defaults of one's own can be overridden."""
    ctx = cli.gen_sefa.make_context("gen-sefa", ["--network", "demo", "--trunc", "0.7", "--trunc", "1"])
    assert ctx.params["trunc"] == 1


def test_commands_typed_after_gen_sefa_are_those_of_sefa():
    assert {*arguments.COMMANDS, "demo"} == set(cli.sefa.commands)


def test_help_comes_before_complaints():
    result = gen("demo", "--help")
    assert result.exit_code == 0 and "Usage:" in result.stdout
