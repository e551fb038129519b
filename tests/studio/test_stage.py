"""The stage: what pages and controllers share. Messages of OSC at sixty a second and more, of which the newest wins."""

import asyncio
import json
import socket
import time

import pytest
from open_studio import HEAD, SMALL, opened
from osc_packets import osc_message_builder, packet
from places import GOLDEN
from typed_commands import refused, sefa

from sefa_plugin.rendering.look import Look
from sefa_plugin.runs.folder import own_folder
from sefa_plugin.runs.session import Session
from sefa_plugin.runs.settings import NetworkChoice
from sefa_plugin.studio import server, stage
from sefa_plugin.studio.gallery import FOLDER
from sefa_plugin.studio.network import Network
from sefa_plugin.studio.presets import Learned, Setting, controls_in, learn, set_preset
from sefa_plugin.studio.stage import Shown, Stage, merged
from sefa_plugin.studio.state import Slider, State

osc_bundle_builder = pytest.importorskip("pythonosc.osc_bundle_builder")

from sefa_plugin.studio.osc import Osc  # noqa: E402

pytestmark = pytest.mark.command
CONDITIONAL = GOLDEN / "sg2ada-cond-32.pkl"


@pytest.fixture
def network(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    session = Session.open(NetworkChoice(str(SMALL)))
    return Network(session, own_folder(session.about(), ["sefa"]), Look())


def after(network, *messages, first=None):
    """The stage after some messages, in one go."""

    async def scene():
        made = Stage(lambda id: network, first or network.first)
        for source, value in messages:
            made.moved(source, value)
        await made.settled()
        return made

    return asyncio.run(scene())


def edits(state):
    return {(one.layers, one.index): one.distance for one in state.edits}


def test_every_kind_of_control_has_an_address(network):
    low, high = network.ends("all", 0)
    found = after(network, ("/sefa/direction/all/0", 1.0), ("/sefa/direction/coarse/1", -0.5), ("/sefa/seed", 7.0))
    assert edits(found.state) == {
        ("all", 0): pytest.approx(high, rel=1e-3),
        ("coarse", 1): pytest.approx(0.5 * network.ends("coarse", 1)[0], rel=1e-3),
    }
    assert found.state.seed == 7 and found.problem == "" and found.by == ""
    state = after(network, ("/sefa/direction/all/0", 0.0), ("/sefa/trunc", 0.7), first=found.state).state
    assert ("all", 0) not in edits(state) and state.trunc == 0.7 and state.seed == 7
    for source, seed in (("next", 8), ("previous", 6)):
        assert after(network, (f"/sefa/seed/{source}", None), first=state).state.seed == seed
    assert after(network, *[("/sefa/seed/next", 1.0), ("/sefa/seed/next", 0.0)] * 3, first=state).state.seed == 10
    assert after(network, ("/sefa/seed/random", 1.0), first=state).state.seed != 7
    assert after(network, ("/sefa/reset", None), first=state).state.edits == ()
    assert after(network, ("/sefa/reset", 0.0), first=state).state == state  # a button is released


def test_presets_have_addresses(network):
    set_preset(network.folder / FOLDER, Setting(network.id, "very old, yes", (Slider("all", 0, 1.5),)))
    set_preset(network.folder / FOLDER, Setting(network.id, "young", (Slider("fine", 2, -1.0),)))
    for message, wanted in (
        (("/sefa/preset/very-old-yes", None), ("all", 0)),
        (("/sefa/preset", "young"), ("fine", 2)),
        (("/sefa/preset", 1.0), ("all", 0)),
    ):
        assert list(edits(after(network, message).state)) == [wanted]
    assert "no such preset" in after(network, ("/sefa/preset/no", None)).problem


@pytest.mark.parametrize(
    "source, value",
    [
        ("/sefa/direction/all/0", "loud"),
        ("/sefa/direction/all/0", float("nan")),
        ("/sefa/direction/all/99999", 1.0),
        ("/sefa/direction/all/-1", 1.0),
        ("/sefa/direction/0_99/1", 1.0),
        ("/sefa/direction/../1", 1.0),
        ("/sefa/class", 1.0),
        ("/sefa/", 1.0),
        ("/sefa/nothing", 1.0),
        ("/sefa/trunc", None),
    ],
)
def test_what_is_no_control_is_a_line_and_the_rest_goes_on(network, source, value):
    found = after(network, (source, value), ("/sefa/seed", 3.0))
    assert found.problem.startswith(source) and "\n" not in found.problem
    assert found.state.seed == 3 and not found.state.edits


@pytest.mark.parametrize("value", [float("inf"), 1e300, -1e300])
def test_values_stay_within_bounds(network, value):
    state = after(network, ("/sefa/direction/all/0", value), ("/sefa/seed", value), ("/sefa/trunc", value)).state
    low, high = network.ends("all", 0)
    assert all(2 * low <= one.distance <= 2 * high for one in state.edits)
    assert 0 <= state.seed < 2**32 and -2 <= state.trunc <= 2


def test_learned_knobs_go_from_end_to_end_and_are_kept_with_the_presets(network):
    folder = network.folder / FOLDER
    learn(folder, Learned(network.id, "direction/all/0", "/1/fader1"))
    learn(folder, Learned(network.id, "seed/next", "midi 1 note 36"))
    low, high = network.ends("all", 0)
    for part, wanted in ((0.0, low), (0.5, 0), (0.75, high / 2), (1.0, high)):
        held = edits(after(network, ("/1/fader1", part)).state)
        assert held.get(("all", 0), 0) == pytest.approx(wanted, rel=1e-3)
    assert after(network, ("midi 1 note 36", 0.8)).state.seed == 1
    found = after(network, ("/1/fader2", 0.5))
    assert found.unassigned == "/1/fader2" and found.state == network.first and found.number == 2
    assert learn(folder, Learned(network.id, "direction/all/1", "/1/fader1")) == controls_in(folder)
    assert controls_in(folder) == {
        "midi 1 note 36": "seed/next",
        "/1/fader1": "direction/all/1",
    }  # a source, one control
    set_preset(folder, Setting(network.id, "old", (Slider("all", 0, 1.5),)))
    assert len(controls_in(folder)) == 2
    assert learn(folder, Learned(network.id, "seed/next")) == {"/1/fader1": "direction/all/1"}
    with pytest.raises(ValueError, match="source"):
        learn(folder, Learned(network.id, "seed", "rm -rf"))


def test_two_hands_at_once(network):
    """What differs is merged: nobody takes back what another has moved meanwhile."""
    base = State(network.id, 1, edits=(Slider("all", 0, 1.0), Slider("all", 1, 1.0)))
    mine = State(network.id, 1, edits=(Slider("all", 0, 2.0), Slider("fine", 0, 3.0)))  # one moved, one to 0, one new
    theirs = State(network.id, 9, 0.7, edits=(Slider("all", 0, 1.0), Slider("all", 1, 1.0), Slider("all", 2, 4.0)))
    both = merged(base, mine, theirs)
    assert (both.seed, both.trunc) == (9, 0.7)
    assert edits(both) == {("all", 0): 2.0, ("all", 2): 4.0, ("fine", 0): 3.0}
    assert merged(base, base, theirs) == theirs and merged(base, mine, base) == mine
    other = State("f" * 16, 0)
    assert merged(base, other, theirs) == other and merged(base, mine, other) == other


def test_a_page_and_a_controller_at_once(network, monkeypatch):
    """A slow message (the first of a group of layers is factorised) does not undo what a page shows meanwhile."""
    ends = network.ends
    monkeypatch.setattr(network, "ends", lambda *place: (time.sleep(0.2), ends(*place))[1])

    async def scene():
        made = Stage(lambda id: network, network.first)
        made.moved("/sefa/direction/fine/0", 1.0)
        await asyncio.sleep(0.05)
        made.show(Shown(State(network.id, 5), network.first), "a page")
        await made.settled()
        return made.state

    state = asyncio.run(scene())
    assert state.seed == 5 and list(edits(state)) == [("fine", 0)]


@pytest.mark.parametrize("a_second", [60, 600])
def test_messages_over_udp_never_queue_and_the_newest_wins(network, monkeypatch, a_second):
    """While a message takes a tenth of a second to be used, others arrive: all but the newest are left out."""
    ends, used, most = network.ends, [], []
    monkeypatch.setattr(network, "ends", lambda *place: (used.append(1), time.sleep(0.1), ends(*place))[2])

    async def scene():
        made = Stage(lambda id: network, network.first)
        listening, address = await server.listen_to_osc(made, "127.0.0.1", 0)
        host, _, port = address.partition(":")
        assert host == "127.0.0.1"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for number in range(1, a_second + 1):
                sender.sendto(packet("/sefa/direction/all/0", number / a_second), (host, int(port)))
                most.append(len(made._pending))
                await asyncio.sleep(1 / a_second)
        await asyncio.sleep(0.05)
        await made.settled()
        listening.close()
        return made

    began = time.monotonic()
    made = asyncio.run(scene())
    assert edits(made.state)["all", 0] == pytest.approx(ends("all", 0)[1], rel=1e-3)
    assert max(most) <= 1 and len(used) <= 10 * (time.monotonic() - began) + 1 < a_second
    assert made.number <= len(used) + 1


def test_sources_are_bounded(network, monkeypatch):
    monkeypatch.setattr(stage, "SOURCES", 50)
    found = after(network, *[(f"/x/{number}", 1.0) for number in range(1000)])
    assert found.state == network.first


def test_broken_packets_are_dropped(capsys):
    taken = []
    protocol = Osc(lambda source, value: taken.append((source, value)))
    nested = packet("/a", 1.0)
    for _ in range(2000):
        nested = b"#bundle\0" + bytes(7) + b"\1" + len(nested).to_bytes(4, "big") + nested
    unknown = b"/x\0\0,z\0\0" + bytes(4)
    for data in (
        b"",
        b"\0",
        b"/",
        b"/a",
        b"/a\0\0,f\0\0",
        b"#bundle\0",
        b"\xff" * 3000,
        unknown,
        nested,
        b"GET / HTTP/1.1",
    ):
        protocol.datagram_received(data, None)
    assert set(taken) <= {("/a", 0.0), ("/x", None)}  # python-osc takes a value that is cut off as 0
    del taken[:]
    for values in ((0.5,), (True,), (3,), ("name",), (b"blob",), (), (0.25, 9.0)):
        protocol.datagram_received(packet("/a", *values), None)
    assert taken == [("/a", 0.5), ("/a", 1.0), ("/a", 3.0), ("/a", "name"), ("/a", None), ("/a", None), ("/a", 0.25)]
    bundle = osc_bundle_builder.OscBundleBuilder(osc_bundle_builder.IMMEDIATELY)
    for address in ("/a", "/b"):
        bundle.add_content(osc_message_builder.OscMessageBuilder(address).build())
    del taken[:]
    protocol.datagram_received(bundle.build().dgram, None)
    assert [source for source, _ in taken] == ["/a", "/b"]
    assert capsys.readouterr().err == ""


def test_pages_share_a_state_and_wait_for_news(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(server, "STAGE_WITHIN", 0.2)
    with opened(SMALL, CONDITIONAL) as (made, client):
        begins = client.get("/api/stage").json()
        assert begins["number"] == 1 and begins["state"]["seed"] == 0
        assert client.get("/api/stage?after=1").status_code == 204
        state = {**begins["state"], "seed": 3}
        shown = client.post("/api/stage", json={"state": state, "over": begins["state"]}).json()
        assert shown["state"]["seed"] == 3 and shown["by"] == HEAD["X-Sefa-Visitor"]
        assert client.get("/api/stage?after=1").json() == shown
        id = made.networks[0].id
        learned = {"network": id, "control": "seed/next", "source": "midi 1 note 36"}
        assert client.post("/api/controls", json=learned).json()["controls"] == {"midi 1 note 36": "seed/next"}
        moves = {"network": id, "moves": {"midi 1 note 36": 1.0}}
        assert client.post("/api/stage/move", json=moves).json()["state"]["seed"] == 4
        held = client.get(f"/api/presets?network={id}").json()
        assert held == {"presets": [], "controls": {"midi 1 note 36": "seed/next"}}
        for wrong in ({"state": {**state, "network": "0" * 16}}, {"state": state, "path": "/"}, {}):
            assert client.post("/api/stage", json=wrong).status_code == 400
        assert client.get("/api/stage", headers={"X-Sefa-Token": ""}).status_code == 403
        page = client.get("/stage", headers={"X-Sefa-Token": ""})
        assert page.status_code == 200 and "window.js" in page.text and "'unsafe" not in str(page.headers)
        conditional = {"state": {**state, "network": made.networks[1].id, "class": 1}}
        assert client.post("/api/stage", json=conditional).json()["state"]["class"] == 1


def test_a_preview_is_made_once_for_a_page_and_its_window(network, monkeypatch):
    made, state = [], State(network.id, 1)
    preview = network.preview
    monkeypatch.setattr(network, "preview", lambda *given: (made.append(1), preview(*given))[1])
    assert network.shown(state, "all") == network.shown(state, "") and len(made) == 1


def test_without_python_osc_it_says_what_to_install(tmp_path, monkeypatch):
    import sys

    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "pythonosc", None)
    refused(
        sefa("studio", "--network", "demo", "--osc", 9000), 1, "--osc needs python-osc", "-m pip install python-osc"
    )


def test_a_port_of_osc_in_use_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        words = ("studio", "--network", "demo", "--port", 0, "--osc", port, "--no-browser")
        refused(sefa(*words), 1, f"--osc {port}", "in use", "another port")
    assert "studio" in json.dumps(sefa("studio", "--help").stdout) and "--osc" in sefa("studio", "--help").stdout
