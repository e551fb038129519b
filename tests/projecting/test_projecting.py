"""From a target to ws: the descent, its stored state, tuning, figures."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from sefa_plugin import factorize, load_network, open_network
from sefa_plugin.generators.stylegan2 import Generator
from sefa_plugin.projecting import descent as descents
from sefa_plugin.projecting import encoder, loss, manifold
from sefa_plugin.projecting.folder import Projecting, kept, key_of
from sefa_plugin.projecting.manifold import Manifold, Samples
from sefa_plugin.projecting.projector import Projector, as_target
from sefa_plugin.projecting.quality import Quality
from sefa_plugin.projecting.settings import HowToProject
from sefa_plugin.projecting.tuning import Tuning, tuned_record
from sefa_plugin.reading.network_file import write_converted
from sefa_plugin.rendering.frames import to_uint8
from sefa_plugin.rendering.latent_files import load_projected_w

pytestmark = pytest.mark.command
SLOW = pytest.param("sg3t-64", marks=pytest.mark.hard)


@pytest.fixture(autouse=True)
def few_samples(monkeypatch):
    monkeypatch.setattr(manifold, "SAMPLES", 24)
    monkeypatch.setattr(manifold, "CODES", 400)
    monkeypatch.setattr(descents, "STARTS", 4)
    monkeypatch.setattr(descents, "BEST", 2)


def own_picture(G, seed=3, label=None):
    """The network's picture of a seed: uint8 ``[H, W, C]``."""
    ws = manifold.codes(G, label, manifold.drawn(G, seed, 1))
    return to_uint8(manifold.pictures_of(G, ws))[0]


def projected(G, target, **how):
    made = Projector(G, HowToProject(**how)).descent(target)
    while not made.is_done:
        made.step()
    return made


def test_whitened_codes_have_unit_variance():
    G = load_network("demo")
    held = Manifold.of(G, None, 0)
    u = held.u_of(manifold.codes(G, None, manifold.drawn(G, 9, 2000))[:, 0])
    assert torch.allclose(held.w_of(u), manifold.codes(G, None, manifold.drawn(G, 9, 2000))[:, 0], atol=1e-3)
    assert 0.8 < float(u.square().mean()) < 1.25


def test_the_networks_own_picture_is_found_again():
    """Also that more steps are better, and that the code is one of the network's."""
    G = load_network("demo")
    target = own_picture(G)
    few, more = (projected(G, target, steps=steps) for steps in (4, 40))
    assert more.psnr() > 22
    assert more.psnr() > few.psnr() + 3
    assert Quality.of(G, more.manifold, more.ws, as_target(target)).distance < 2


@pytest.mark.parametrize(
    "name",
    ["sg2-in-sg3-32", SLOW, "stylegan1-32", "pggan-32", "sg2ada-cond-32", "stylegan2-tf-32"],
)
def test_every_family_is_projected_into(golden, name):
    """The picture comes nearer than the best sample; ws are of the network's shape, of PGGAN normalised z."""
    G = load_network(golden(name).pickle)
    target = own_picture(G, label=0 if G.c_dim else None)
    begun = Projector(G, HowToProject(steps=10)).descent(target)
    before = loss.difference(begun.picture(), begun.target)
    while not begun.is_done:
        begun.step()
    assert loss.difference(begun.picture(), begun.target) < before  # not clamped: these networks have random weights
    assert begun.ws.shape == (G.num_ws, G.w_dim)
    if name == "pggan-32":
        assert torch.allclose(begun.ws.square().mean(), torch.ones(()), atol=1e-3)
    if name == "sg2ada-cond-32":
        assert begun.manifold.label in range(G.c_dim)


@pytest.mark.parametrize("space", ["w", "z"])
def test_w_and_z_have_one_row_for_all_layers(golden, space):
    G = load_network(golden("sg2-in-sg3-32").pickle)
    found = projected(G, own_picture(G), steps=4, space=space).ws
    assert torch.equal(found, found[:1].expand_as(found))


def test_a_large_network_is_projected_on_its_partial_picture_first(golden, monkeypatch):
    monkeypatch.setattr(descents, "PARTIAL", 32)
    monkeypatch.setattr(descents, "EARLY", 16)
    monkeypatch.setattr(descents, "CHECKPOINTED", 64)  # full pictures are computed again for gradients
    G = load_network(golden("sg2ada-skip-64").pickle)
    found = projected(G, own_picture(G), steps=4)
    assert [phase.height for phase in found.phases] == [16, 16, 32, 64]
    assert "forward" not in vars(G.synthesis.b4)


def test_less_memory_gives_the_same_gradients(golden, monkeypatch):
    for name in ("sg2ada-skip-64", "sg3t-64", "stylegan1-32", "pggan-32"):
        G = load_network(golden(name).pickle)
        ws = manifold.codes(G, None, manifold.drawn(G, 1, 1)).requires_grad_(True)
        found = []
        for most in (10**6, 1):
            monkeypatch.setattr(descents, "CHECKPOINTED", most)
            with descents.less_memory(G, 64):
                (gradient,) = torch.autograd.grad(manifold.synthesised(G, ws).square().sum(), ws)
            found.append(gradient)
        assert torch.allclose(*found, rtol=1e-4, atol=1e-5 * float(found[0].abs().max())), name


def test_a_larger_prior_stays_nearer_to_the_networks_codes():
    G = load_network("demo")
    target = np.random.RandomState(0).randint(0, 255, (64, 64, 3), np.uint8)
    free, held = (projected(G, target, steps=10, prior=prior) for prior in (0.0, 50.0))
    far, near = (Quality.of(G, one.manifold, one.ws, as_target(target)) for one in (free, held))
    assert near.distance < 0.7 * far.distance
    assert "draws nothing like it" in far.sentence  # noise is no face


def test_a_stopped_projection_goes_on_to_the_same_result(golden, tmp_path):
    G = load_network(golden("sg2-in-sg3-32").pickle)
    target, how = own_picture(G), HowToProject(steps=10)
    whole = projected(G, target, steps=10).ws
    for stop in (0, 7):
        work = Projecting(tmp_path / str(stop), Projector(G, how).descent(target), target, "k", {}, film=True)
        steps = work.run()
        for _ in range(stop + 1):
            next(steps)
        steps.close()  # as an interruption does
        assert json.loads((work.folder / "projection.json").read_text())["complete"] is False
        assert load_projected_w(work.folder / "projected_w.npz", G.num_ws, G.w_dim).shape == (1, G.num_ws, G.w_dim)
        again = Projecting(tmp_path / str(stop), Projector(G, how).descent(target), target, "k", {}, film=True)
        assert again.resume() == stop + 1
        assert sum(1 for _ in again.run()) == again.descent.total - stop - 1
        assert torch.equal(again.descent.ws, whole)
    other = Projecting(tmp_path / "7", Projector(G, how).descent(target), target, "another", {})
    assert other.resume() == 0


def test_a_broken_state_is_begun_anew(golden, tmp_path):
    G = load_network(golden("sg2-in-sg3-32").pickle)
    target = own_picture(G)
    work = Projecting(tmp_path, Projector(G, HowToProject(steps=4)).descent(target), target, "k", {})
    for content in (b"", b"PK\x03\x04 cut off", os.urandom(500)):
        (tmp_path / "projection-state.npz").write_bytes(content)
        assert work.resume() == 0


def test_what_is_complete_is_kept(golden, tmp_path):
    G = load_network(golden("sg2ada-skip-64").pickle)
    target = own_picture(G)
    key = key_of(target, {"steps": 3}, "digest")
    assert kept(tmp_path, key) is None
    work = Projecting(tmp_path, Projector(G, HowToProject(steps=3)).descent(target), target, key, {})
    list(work.run())
    made = work.write(G, work.descent.ws)
    assert kept(tmp_path, key) == replace(made, kept=True)
    assert kept(tmp_path, key, ["proj.mp4"]) is None
    assert kept(tmp_path, key_of(target, {"steps": 4}, "digest")) is None
    assert (np.asarray(Image.open(tmp_path / "target.png")) == target).all()
    assert np.asarray(Image.open(tmp_path / "side_by_side.png")).shape == (64, 128, 3)
    with np.load(tmp_path / "projected_w.npz", allow_pickle=False) as held:
        assert (held["w"].shape, held["w"].dtype) == ((1, G.num_ws, G.w_dim), np.float32)
        shown = to_uint8(manifold.pictures_of(G, torch.from_numpy(held["w"])))[0]
    assert (np.asarray(Image.open(tmp_path / "proj.png")) == shown).all()


def test_figures_of_a_picture_against_itself_and_by_hand():
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    assert float(loss.psnr(x, x)) == 100
    assert float(loss.ssim(x, x)) == pytest.approx(1, abs=1e-4)
    assert float(loss.difference(x, x)) == 0
    assert float(loss.psnr(torch.zeros(1, 3, 8, 8), torch.full((1, 3, 8, 8), 0.2))) == pytest.approx(20, abs=1e-3)
    assert float(loss.difference(torch.zeros(1, 3, 32, 32), torch.full((1, 3, 32, 32), 0.3))) == pytest.approx(0.3)


def tuned_on_the_bundled_network(steps, **how):
    """The network before and after, and the descent."""
    G = load_network("demo")
    made = projected(G, own_picture(G, 5), steps=steps, **how)
    tuning = Tuning(made)
    while not tuning.is_done:
        tuning.step()
    return G, tuning.finished(), made


@pytest.mark.hard
def test_a_tuned_network_draws_the_picture_better():
    """With noise maps, which stay of zero mean and unit variance."""
    G, tuned, made = tuned_on_the_bundled_network(5, tune=8, noise=True)
    before, after = (loss.psnr(manifold.pictures_of(one, made.ws[None]), made.target) for one in (G, tuned))
    assert after > before + 0.3
    noise = tuned.synthesis.b64.conv1.noise_const
    assert not torch.equal(noise, G.synthesis.b64.conv1.noise_const)
    assert abs(float(noise.mean())) < 1e-5
    assert abs(float(noise.square().mean()) - 1) < 1e-4


@pytest.mark.hard
def test_a_tuned_network_draws_others_as_before():
    G, tuned, made = tuned_on_the_bundled_network(60, tune=100)
    before, after = (loss.psnr(manifold.pictures_of(one, made.ws[None]), made.target) for one in (G, tuned))
    assert after > before + 1
    others = manifold.codes(G, None, manifold.drawn(G, 8, 16))
    same = loss.psnr(manifold.pictures_of(tuned, others), manifold.pictures_of(G, others).clamp(-1, 1))
    assert float(same.mean()) > 27


@pytest.mark.parametrize("name", ["sg2-in-sg3-32", "stylegan1-32", "pggan-32", SLOW, "stylegan2-tf-32"])
def test_a_tuned_network_is_written_and_keeps_its_directions(golden, tmp_path, name):
    path = golden(name).pickle
    G, opened = load_network(path), open_network(path)
    target = own_picture(G, 5)
    made = projected(G, target, steps=1, tune=2)
    tuning = Tuning(made)
    while not tuning.is_done:
        tuning.step()
    tuned = tuning.finished()
    file = tmp_path / "tuned.safetensors"
    write_converted(tuned_record(opened.record, tuned), file)
    again = load_network(file)
    ws = made.ws[None]
    assert torch.allclose(manifold.pictures_of(again, ws), manifold.pictures_of(tuned, ws), atol=1e-5)
    assert open_network(file).record.lineage == opened.record.digest()
    assert open_network(file).record.digest() != opened.record.digest()
    assert factorize(again).same_as(factorize(G))
    second = tuned_record(open_network(file).record, again)  # tuned once more
    assert second.lineage == opened.record.digest()


@pytest.mark.hard
def test_an_encoder_finds_samples_better_than_their_mean(monkeypatch, tmp_path):
    monkeypatch.setattr(encoder, "STEPS", 150)
    monkeypatch.setenv("DNNLIB_CACHE_DIR", str(tmp_path))
    G = load_network("demo")
    projector = Projector(G, HowToProject(steps=1))
    done = []
    projector.encoder("0" * 64, done.append)
    held = projector.manifold(None)
    ws = manifold.codes(G, None, manifold.drawn(G, 77, 32))
    net = encoder.load(encoder.place_of("0" * 64, None, 0), 3, G.w_dim)
    pictures = manifold.pictures_of(G, ws)
    u = net(pictures)
    found, mean = (manifold.pictures_of(G, held.w_of(x)[:, None].expand_as(ws)) for x in (u, torch.zeros_like(u)))
    assert float((loss.psnr(found, pictures) - loss.psnr(mean, pictures)).mean()) > 1
    assert len(done) == 150
    projector.encoder("0" * 64, done.append)
    assert len(done) == 150  # kept
    assert len(projector.descent(own_picture(G)).common) == descents.STARTS


def test_the_class_of_a_conditional_network_is_that_of_the_nearest_sample(golden):
    G = load_network(golden("sg2ada-cond-32").pickle)
    samples = Samples.of(G, None, 0, 40)
    target = own_picture(G, 0, samples.classes[7])
    made = Projector(G, HowToProject(steps=1)).descent(target)
    assert made.manifold.label in samples.classes
    typed = Projector(G, HowToProject(steps=1, label=1)).descent(target)
    assert typed.manifold.label == 1


def test_a_rectangular_network():
    """As of StyleGAN-Human: twice as high as wide."""
    options = {"channel_base": 512, "channel_max": 16, "first_size": (4, 2)}
    torch.manual_seed(0)
    G = Generator(16, 0, 16, 32, 3, mapping_kwargs={"num_layers": 2}, synthesis_kwargs=options)
    G.eval().requires_grad_(False)
    assert Projector(G, HowToProject()).shape == (32, 16, 3)
    found = projected(G, own_picture(G), steps=4)
    assert found.picture().shape == (1, 3, 32, 16)
