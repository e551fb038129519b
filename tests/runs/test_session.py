"""Sessions: directions and scenes for typed settings, without a command line."""

import re
import threading
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from places import ROOT
from scenes import pictures_along

from sefa_plugin import Directions, factorize, load_network
from sefa_plugin.directions.factorization import Factorisation
from sefa_plugin.rendering.local import Local
from sefa_plugin.rendering.look import Look
from sefa_plugin.rendering.shards import Shard
from sefa_plugin.runs.each_direction import make_outputs
from sefa_plugin.runs.output_settings import OutputSettings
from sefa_plugin.runs.session import Session, SessionError, SettingsError, device_of, indices_of
from sefa_plugin.runs.settings import NetworkChoice, Wanted

pytestmark = pytest.mark.command


@pytest.fixture(scope="module")
def net(golden):
    return str(golden("sg2-in-sg3-32").pickle)


@pytest.fixture
def session(net):
    return Session.open(NetworkChoice(net), warn=pytest.fail)


def test_directions_are_those_of_factorize(session, net):
    (found,) = session.directions(Factorisation(layers="middle", normalize=False), Wanted(count=3))
    alone = factorize(load_network(net), layers="middle", normalize=False, num_directions=3)
    assert np.array_equal(found.directions.vectors, alone.vectors)
    assert found.directions.label == "middle" and found.path is None
    assert [kept.directions.label for kept in session.directions(Factorisation("coarse,fine"))] == ["coarse", "fine"]
    assert len(session.directions()[0].directions) == session.opened.sizes["w_dim"]


def test_wanted_directions(session):
    (found,) = session.directions(wanted=Wanted(keys=(7, 1), count=2))
    assert len(found.directions) == 8
    assert indices_of(found.directions, Wanted(keys=(7, 1, 7))) == [7, 1]
    assert indices_of(found.directions, Wanted(count=3)) == [0, 1, 2]
    (whole,) = session.directions(wanted=Wanted(keys=(-1,), count=2))
    assert len(whole.directions) == whole.directions.dim
    for keys in ((10_000,), ("smile",), (-10_000,)):
        with pytest.raises(SettingsError, match="direction"):
            session.directions(wanted=Wanted(keys=keys, count=2))


def test_more_directions_than_there_are_is_a_warning(net):
    said = []
    session = Session.open(NetworkChoice(net), warn=said.append)
    (found,) = session.directions(wanted=Wanted(count=10_000))
    assert len(found.directions) == found.directions.dim
    assert len(said) == 1 and "all are taken" in said[0]


def test_warnings_are_pythons_own_by_default(net):
    session = Session.open(NetworkChoice(net))
    with pytest.warns(UserWarning, match="all are taken") as caught:
        session.directions(wanted=Wanted(count=10_000))
    assert caught[0].filename == __file__


def test_names_and_ranges_of_a_folder_are_taken_over(session, tmp_path):
    (first,) = session.directions(wanted=Wanted(count=3), folder=tmp_path)
    first.update(first.directions.named(1, "pose").with_range(0, 1.0, -2.0, 2.0))
    (second,) = session.directions(wanted=Wanted(keys=("pose",), count=4), folder=tmp_path)
    assert second.directions.names == ("", "pose", "", "")
    assert second.directions.ranges[0] == (-2.0, 2.0)
    assert second.path == tmp_path / "directions.safetensors"
    (known,) = session.directions(wanted=Wanted(count=2), folder=tmp_path, known_only=True)
    assert known.path == second.path
    (other,) = session.directions(Factorisation("coarse"), Wanted(count=2), tmp_path, known_only=True)
    assert other.path is None


def test_a_name_that_is_set_from_python_is_written(session, tmp_path):
    for name in ("pose", "head", ""):
        (found,) = session.directions(wanted=Wanted(count=2), folder=tmp_path)
        found.update(found.directions.named(1, name))
        assert Directions.load(tmp_path / "directions.safetensors").names == ("", name)


def test_edits_at_other_rows_have_a_file_of_their_own(session, tmp_path):
    (found,) = session.directions(wanted=Wanted(count=2, edit_layers="coarse"), folder=tmp_path)
    assert found.path == tmp_path / "directions-all@coarse.safetensors"
    with pytest.raises(SettingsError, match="gives 2 groups"):
        session.directions(wanted=Wanted(count=2, edit_layers="coarse,fine"))


def test_a_directions_file(session, tmp_path, net):
    path = tmp_path / "mine.safetensors"
    held = factorize(load_network(net), num_directions=2)
    held.save(path)
    (found,) = session.directions(wanted=Wanted(file=path))
    assert found.path == path and len(found.directions) == 2
    replace(held, digest="0" * 64, network="other").save(path)
    said = []
    Session.open(NetworkChoice(net), warn=said.append).directions(wanted=Wanted(file=path))
    assert "were found in other" in said[0]
    with pytest.raises(SessionError, match="--strict"):
        Session.open(NetworkChoice(net, strict=True)).directions(wanted=Wanted(file=path))


@pytest.mark.parametrize(
    ("look", "says"),
    [
        (Look(trunc_cutoff=1000), "--trunc-cutoff"),
        (Look(bf16=True, label=None), None),
    ],
)
def test_looks_that_do_not_fit(session, look, says):
    if says is None:
        session = Session(session.opened, replace(session.choice, device="cuda"), pytest.fail)
        says = "--device cuda"
    with pytest.raises(SettingsError, match=says):
        session.scene(session.view(look, [0]))


def test_classes(golden):
    said = []
    session = Session.open(NetworkChoice(str(golden("sg2ada-cond-32").pickle)), warn=said.append)
    with pytest.raises(SettingsError, match="--class 0-"):
        session.view(Look(), [0])
    with pytest.raises(SettingsError, match="this network has classes"):
        session.view(Look(label=1000), [0])
    assert len(session.scene(session.view(Look(label=1), [0, 1]))) == 2
    with pytest.raises(SettingsError, match="a label of 2 numbers: this network's labels have 10"):
        session.view(Look(label=(1.0, 0.0)), [0])
    half = session.view(Look(label=(0.5, 0.5, *[0.0] * 8)), [0])
    assert not torch.equal(session.scene(half).ws, session.scene(session.view(Look(label=0), [0])).ws)
    group = session.directions(Factorisation(), Wanted(count=1))[0]
    settings = session.ranges(half, session.engine()).settings
    assert '"class": [0.5, 0.5' in settings and '"background"' not in settings
    assert not session.ranges(half, session.engine()).known(group, 0)
    assert not said


def test_a_label_of_a_network_without_labels_is_refused(net):
    with pytest.raises(SettingsError, match="--label: this network is unconditional, .*; leave it out"):
        Session.open(NetworkChoice(net)).view(Look(label=(1.0, 0.0)), [0])


def test_a_background_of_pictures_that_are_not_transparent_is_ignored(net):
    said = []
    view = Session.open(NetworkChoice(net), warn=said.append).view(Look(background=(0, 0, 0)), [0])
    assert view.look.background is None and "--background is ignored" in said[0]


def test_what_a_network_does_not_have_is_a_warning(net):
    said = []
    session = Session.open(NetworkChoice(net), warn=said.append)
    scene = session.scene(session.view(Look(label=3, rotate=10.0, camera=(20.0, 0.0)), [0]))
    assert scene.look.label is None
    assert [line.partition(" ")[0] for line in said] == ["--class", "--translate", "--camera"]


def test_settings_that_cannot_be():
    for odd in (lambda: Wanted(count=0), lambda: NetworkChoice("x", device="tpu")):
        with pytest.raises(SettingsError):
            odd()
    for odd in (lambda: Factorisation(space="q"), lambda: Factorisation(torgb="some")):
        with pytest.raises(ValueError, match="choose of"):
            odd()
    for odd in ({"video": "avi"}, {"loop": "x"}, {"frames": 0}, {"easing": "x"}, {"fps": 0}):
        with pytest.raises(SettingsError, match="choose of"):
            OutputSettings(**{"video": "png", **odd}).check()


def test_outputs_that_cannot_be_had_are_refused_before_any_work(session, tmp_path):
    groups = session.directions(wanted=Wanted(count=2))
    view = session.view(Look(), [0])
    for wanted, output in (
        (Wanted(keys=(9,)), OutputSettings(video="none")),
        (Wanted(count=1), OutputSettings(loop="x")),
    ):
        with pytest.raises(SettingsError):
            make_outputs(session, view, groups, wanted, output, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_folders_may_be_text(session, tmp_path):
    folder = str(tmp_path / "out")
    groups = session.directions(wanted=Wanted(count=1), folder=folder)
    output = OutputSettings(video="none")
    made = make_outputs(session, session.view(Look(), [0]), groups, Wanted(count=1), output, folder, distance=(-1, 1))
    assert (made.outdir / "sheets" / "all-dir00.jpg").is_file()


def test_nothing_to_look_at(session):
    with pytest.raises(SettingsError, match="one of them is needed"):
        session.view(Look())


def test_a_device_is_named_or_found():
    assert device_of("auto") in ("cpu", "cuda")
    assert device_of("cpu") == "cpu"


def test_scenes_of_one_generator_do_not_change_each_other(golden):
    """StyleGAN3's input transform lies in the generator: each scene has its own, also while they take turns."""
    path = str(golden("sg3t-64").pickle)
    looks = [Look(), Look(translate=(0.25, 0.1)), Look(rotate=30.0), Look()]
    session = Session.open(NetworkChoice(path))
    views = [session.view(look, [0]) for look in looks]
    alone = [next(Local.of(load_network(path)).pictures(view, Shard.of_everyone(view))) for view in views]
    scenes = [session.scene(view) for view in views]
    assert len({id(scene.G) for scene in scenes}) == 1
    streams = [scene.pictures(Shard.of_everyone(scene.view, [(), ()])) for scene in scenes]
    for _ in range(2):
        for stream, wanted in zip(streams, alone):
            assert np.array_equal(next(stream), wanted)
    assert not np.array_equal(alone[0], alone[1])


def test_threads_get_what_they_would_get_alone(golden):
    path = str(golden("sg3t-64").pickle)
    looks = [Look(translate=(0.1 * place, 0.0)) for place in range(4)]
    wanted = []
    for look in looks:
        session = Session.open(NetworkChoice(path))
        view = session.view(look, [3])
        wanted.append(next(session.engine().pictures(view, Shard.of_everyone(view))))
    session, made, errors = Session.open(NetworkChoice(path)), {}, []

    def work(place):
        try:
            (found,) = session.directions(wanted=Wanted(count=1))
            scene = session.scene(session.view(looks[place], [3]))
            shots = pictures_along(scene, found.directions, 0, [0.0] * 5)
            made[place] = [pictures[0] for pictures in shots]
        except Exception as error:  # the thread would swallow it
            errors.append(error)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    for place, picture in enumerate(wanted):
        assert len(made[place]) == 5
        # To a rounding: libraries may sum in another order in another thread. Another look would differ by far more.
        assert all(np.abs(one.astype(int) - picture).max() <= 1 for one in made[place])


def test_the_example_of_the_documentation(tmp_path, monkeypatch, capsys):
    """Run as it stands, on the bundled network, with less to make."""
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "Session.open" in block]
    for name, other in (
        ("ffhq.pkl", "demo"),
        ("sefa-out/ffhq", "out"),
        ("count=5", "count=1"),
        ("frames=60", "frames=4"),
    ):
        assert name in code
        code = code.replace(name, other)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "docs/python.md", "exec"), {})
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")}
    assert {"out/index.html", "out/run.json", "out/sheets/all-dir00.jpg", "out/videos/all-dir00.mp4"} <= made
    assert capsys.readouterr().out.startswith("out (")


def test_names_survive_other_factorisations_in_the_same_folder(session, tmp_path):
    """A name, then other layers, then several groups, then the first again: it is still there."""
    (first,) = session.directions(wanted=Wanted(count=2), folder=tmp_path)
    first.update(first.directions.named(1, "pose"))
    for layers in ("middle", "coarse,fine", "all"):
        groups = session.directions(Factorisation(layers=layers), Wanted(count=2), tmp_path)
        for group in groups:
            group.save()
    (again,) = groups
    assert again.path == first.path and again.directions.names[1] == "pose"
    coarse = Directions.load(tmp_path / "directions-coarse.safetensors")
    coarse.named(0, "hair").save(tmp_path / "directions-coarse.safetensors")
    (alone,) = session.directions(Factorisation(layers="coarse"), Wanted(keys=("hair",)), tmp_path)
    assert alone.directions.names[0] == "hair"
    assert len(list(tmp_path.glob("directions*.safetensors"))) == 4


def test_nothing_is_printed(session, capsys):
    session.directions(wanted=Wanted(count=1))
    session.scene(session.view(Look(), [0]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        session.about()
    assert capsys.readouterr() == ("", "")


def test_a_set_keeps_what_others_have_put_into_its_file(session, tmp_path):
    (mine,) = session.directions(wanted=Wanted(count=2), folder=tmp_path)
    mine.save()
    theirs = Directions.load(mine.path)
    theirs.named(0, "theirs").save(mine.path)
    mine.update(mine.directions.with_range(1, 1.0, -1.0, 1.0))
    now = Directions.load(mine.path)
    assert now.names[0] == "theirs" and now.ranges[1] == (-1.0, 1.0)


def test_a_careful_set_replaces_no_ranges_of_another_look(session, tmp_path):
    (mine,) = session.directions(wanted=Wanted(count=1), folder=tmp_path)
    held = replace(mine.directions.with_range(0, 1.0, -2.0, 2.0), calibration="one look")
    mine.update(held)
    other = replace(mine.directions.with_range(0, 1.0, -3.0, 3.0), calibration="another")
    mine.careful().update(other)
    assert Directions.load(mine.path).ranges[0] == (-2.0, 2.0)
    mine.update(other)
    assert Directions.load(mine.path).ranges[0] == (-3.0, 3.0)


def test_a_set_that_cannot_be_written_warns(session, tmp_path):
    said = []
    (mine,) = Session(session.opened, session.choice, said.append).directions(wanted=Wanted(count=1), folder=tmp_path)
    mine.path.mkdir()
    mine.update(mine.directions)
    assert len(said) == 1 and "ranges are not saved" in said[0]
