import click
import pytest
from click.testing import CliRunner

from sefa_plugin.command import Command, Progress, explain, readable, usage


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (59, "59 s"), (100, "2 min"), (5400, "1 h 30 min"), (9000, "2 h 30 min")]
)
def test_durations_in_words(seconds, words):
    assert readable(seconds) == words


@pytest.mark.parametrize(
    ("error", "says", "code"),
    [
        (click.UsageError("bad"), "bad", 2),
        (KeyboardInterrupt(), "stopped", 130),
        (click.Abort(), "stopped", 130),
        (OSError(28, "No space left on device", "out/x.mp4"), "out/x.mp4: No space left on device", 1),
        (MemoryError(), "out of memory", 1),
        (RuntimeError("CUDA out of memory. Tried"), "out of memory", 1),
        (KeyError("x"), "unexpected KeyError", 1),
    ],
)
def test_every_end_has_its_line_and_code(error, says, code):
    line, found = explain(error)
    assert says in line
    assert found == code


def test_only_what_the_user_typed_is_a_usage_error():
    with pytest.raises(click.UsageError, match="typed"), usage():
        raise ValueError("typed")
    with pytest.raises(KeyError), usage():
        raise KeyError


@pytest.mark.parametrize(("words", "code"), [([], 1), (["--debug"], 1)])
def test_a_traceback_only_for_who_asks(words, code):
    @click.command(cls=Command)
    @click.option("--debug", is_flag=True)
    def fails(debug):
        raise RuntimeError("two\nlines")

    result = CliRunner().invoke(fails, words)
    assert result.exit_code == code
    if words:
        assert isinstance(result.exception, RuntimeError)
    else:
        assert (
            result.stderr == "Error: unexpected RuntimeError: two lines (run again with --debug for the whole story)\n"
        )


def test_progress_says_what_is_to_come(capsys):
    with Progress() as progress:
        progress.expect(4, 120.0)
        for _ in range(4):
            progress.advance(1)
    assert "4 pictures to render, about 2 min" in capsys.readouterr().err
