"""The server of the studio: what the page asks for, and the address it is opened at."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..media.effect import heat_picture
from ..projecting.picture import PictureError
from ..reading.json_file import parsed
from ..rendering.look import Look
from ..rendering.shards import FramesError
from ..runs.recipe import Recipe, RecipeError
from ..runs.session import Session
from ..runs.settings import SettingsError
from ..system.messages import one_line, without_unprintable
from . import lines, sharing
from .apart import Marked, Pair, Pairs
from .bundle import Bundle, BundleError, bundled, take
from .gallery import FOLDER, Gallery, shown_or_none
from .guard import LOOPBACK, App, Below, Guard
from .network import Network, as_jpeg, as_png
from .photographs import Photograph, Photographs, as_npz, page_picture
from .presets import Learned, Setting, controls_in, learn, presets_in, set_preset
from .recording import Recorder, Recording
from .regions import Drawn, Regions
from .serving import PORT, StudioError, served
from .stage import Moves, Shown, Stage
from .state import Choice, Cropped, Ends, Naming, Preview, Record, Sent, State
from .turns import Patient, Stopped, Superseded, TooMany, Turns

STAGE_WITHIN = 15.0  # seconds that a page waits for news of the stage
STATIC = Path(__file__).parent / "static"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
Kind = TypeVar("Kind", bound=Sent)
T = TypeVar("T")


@dataclass(eq=False)
class Studio:
    """The networks of a studio, and what is common to its visitors.

    Args:
        networks: at least one, each with its folder.
        token: what requests must bring along.
        log: called with one line on what failed.
        shared: whether visitors are strangers, to whom nothing is open that is kept.
        scratch: a folder for their videos; None where they get none.
    """

    networks: Sequence[Network]
    token: str
    log: Callable[[str], None] = lambda text: None
    shared: bool = False
    scratch: Path | None = None
    turns: Turns = field(default_factory=Turns)
    osc: str = ""  # the address that messages of OSC are taken at

    def __post_init__(self) -> None:
        self.stage = Stage(self.network, self.networks[0].first)
        self._galleries = {network.id: Gallery(network) for network in self.networks}
        if self.shared:
            self.turns = Turns(sharing.WAITING)
        self.recorder = Recorder(self.turns, self.log, self._explained, self.scratch)
        self.photographs = Photographs(self.turns, self.log, self._explained)
        self.regions = Regions("directions of a region", self.turns, self.log, self._explained)
        self.pairs = Pairs("pictures to mark", self.turns, self.log, self._explained)
        self._visitors = sharing.Visitors()
        self._wanted: list[tuple[Network, str, int]] = []  # ranges to measure, the next one last
        self._failed: set[tuple[str, str, int]] = set()
        self._more = threading.Condition()
        for network in self.networks:
            network.measure_with(Patient(network.session.engine(), self.turns))
            network.projected = self.photographs.ws_of

    def _explained(self, error: BaseException) -> str:
        """An error as one line; strangers get none that may say something of this computer."""
        line = _explained(error)
        if self.shared and not type(error).__module__.startswith("sefa_plugin"):
            self.log(line)
            return sharing.TROUBLE
        return line

    # --- background -------------------------------------------------------------------------------

    def start(self) -> None:
        """Build the first network's generator, and measure ranges, in threads."""
        self.turns.warm(self.networks[0].warm)
        threading.Thread(target=self._measure, name="studio-measure").start()  # no daemon: torch may be at work

    def stop(self) -> None:
        """End all work."""
        self.turns.close()
        self.recorder.close()
        self.photographs.close()
        self.regions.close()
        self.pairs.close()
        with self._more:
            self._more.notify_all()

    def _measure(self) -> None:
        while not self.turns.closed.is_set():
            with self._more:
                while not self._wanted and not self.turns.closed.is_set():
                    self._more.wait()
                if self.turns.closed.is_set():
                    return
                network, layers, index = self._wanted.pop()
            try:
                self.turns.share_threads()
                network.measure(layers, index)
            except Stopped:
                return
            except Exception as error:  # of any kind: the slider keeps its first range
                self._failed.add((network.id, layers, index))
                self.log(f"the range of direction {index} of {layers} was not measured: {self._explained(error)}")

    def want_ranges(self, network: Network, layers: str, indices: Sequence[int]) -> None:
        """Measure some ranges, in this order, before those that were wanted earlier."""
        some = [(network, layers, index) for index in reversed(indices)]
        with self._more:
            some = [one for one in some if (one[0].id, *one[1:]) not in self._failed]
            self._wanted = [one for one in self._wanted if one not in some] + some
            self._more.notify_all()

    # --- what is asked for ------------------------------------------------------------------------

    def network(self, id: str) -> Network:
        """The network of an id, which may be longer or shorter than ours.

        Raises:
            SettingsError: there is none.
        """
        for network in self.networks:
            if network.digest.startswith(id) and len(id) >= 8:
                return network
        raise SettingsError("this studio was not started with that network")

    def gallery(self, id: str) -> Gallery:
        """The kept pictures of a network."""
        return self._galleries[self.network(id).id]

    async def about(self, request: Request) -> Response:
        """The networks, for the page's controls."""
        found = []
        for network in self.networks:
            opened = network.session.opened
            found.append(
                {
                    "id": network.id,
                    "name": network.session.name,
                    "class": opened.record.class_name,
                    "resolution": opened.sizes["resolution"],
                    "classes": opened.sizes["c_dim"],
                    "noise": any(layer.kind == "input" for layer in opened.layers) is False,
                    "groups": network.groups,
                    "seed": network.seed,
                    "trunc": network.look.trunc,
                    "label": network.look.label,
                }
            )
        return JSONResponse({"networks": found, "osc": self.osc, "shared": self.shared})

    async def directions(self, request: Request) -> Response:
        """Directions of a group, with their ranges; those that are not known yet are measured."""
        asked = request.query_params
        network, layers = self.network(asked.get("network", "")), asked.get("layers", "all")
        first, count = _whole(asked.get("first", "0"), 10**5), _whole(asked.get("count", "6"), 64)
        order = asked.get("order", "strength")

        def listed() -> dict[str, Any]:
            found = network.listed(layers, first, count, order)
            missing = [int(str(one["index"])) for one in found if not one["measured"]]
            self.want_ranges(network, layers, missing)
            for one in found:
                one["measuring"] = not one["measured"] and (network.id, layers, one["index"]) not in self._failed
            held = network.named(layers)
            return {"directions": found, "total": len(held), "ordered": held.has_order}

        return _json(await run_in_threadpool(listed))

    async def preview(self, request: Request) -> Response:
        """A JPEG of a state in less time; 204 where a newer one was asked for meanwhile."""
        asked = _sent(await request.body(), Preview)
        network = self.network(asked.state.network)

        def made() -> bytes:
            return network.shown(asked.state, asked.moving)

        return Response(await self._turn(request, made, "preview", ("preview", "strip")), media_type="image/jpeg")

    async def picture_of_state(self, request: Request) -> Response:
        """The full PNG of a state."""
        state = _sent(await request.body(), State)
        network = self.network(state.network)

        def made() -> bytes:
            return as_png(network.picture(network.recipe(state)))

        return Response(await self._turn(request, made), media_type="image/png")

    async def picture(self, request: Request) -> Response:
        """The PNG of a recipe, of its first subject or of ``?subject=1``."""
        recipe = self._recipe(await request.body())
        network, who = self.network(recipe.network["digest"]), _whole(request.query_params.get("subject", "0"), 10**6)

        def made() -> bytes:
            return as_png(network.picture(recipe, who))

        return Response(await self._turn(request, made), media_type="image/png")

    async def strip(self, request: Request) -> Response:
        """Small pictures along a direction, and what it changes."""
        ends = _sent(await request.body(), Ends)
        network = self.network(ends.state.network)

        def made() -> dict[str, Any]:
            tiles, effect = network.strip(ends)
            heat = as_png(heat_picture(effect.heat))
            pictures = {"strip": _data("jpeg", as_jpeg(tiles, 80)), "heat": _data("png", heat)}
            return {**pictures, "words": list(effect.words), "where": effect.where}

        return JSONResponse(await self._turn(request, made, "strip", ("strip",)))

    async def recipe(self, request: Request) -> Response:
        """The recipe of a state."""
        state = _sent(await request.body(), State)
        network = self.network(state.network)
        data = await run_in_threadpool(lambda: network.recipe(state).data())
        return Response(data, media_type="application/json")

    async def lines(self, request: Request) -> Response:
        """The command and the Python lines of a state."""
        state = _sent(await request.body(), State)
        network = self.network(state.network)

        def made() -> dict[str, str]:
            recipe = network.recipe(state)
            return {
                "command": lines.shown(lines.command_of(recipe)),
                "python": lines.python_of(recipe, state, network.files(state)),
            }

        return JSONResponse(await run_in_threadpool(made))

    async def open_recipe(self, request: Request) -> Response:
        """The state of a recipe that is uploaded."""
        recipe = self._recipe(await request.body())
        network = self.network(recipe.network["digest"])
        return _json({"state": await run_in_threadpool(network.state_of, recipe)})

    async def name(self, request: Request) -> Response:
        """Set name, star or note of a direction."""
        naming = _sent(await request.body(), Naming)
        network = self.network(naming.network)
        return JSONResponse({"line": await run_in_threadpool(network.rename, naming)})

    async def presets(self, request: Request) -> Response:
        """Positions of sliders with names."""
        network = self.network(request.query_params.get("network", ""))
        folder = network.folder / FOLDER
        presets, controls = await run_in_threadpool(lambda: (presets_in(folder), controls_in(folder)))
        return _json({"presets": presets, "controls": controls})

    async def set_preset(self, request: Request) -> Response:
        """Add, replace or remove a preset."""
        setting = _sent(await request.body(), Setting)
        network = self.network(setting.network)
        return _json({"presets": await run_in_threadpool(set_preset, network.folder / FOLDER, setting)})

    async def learn(self, request: Request) -> Response:
        """Set or forget what moves a control."""
        learned = _sent(await request.body(), Learned)
        folder = self.network(learned.network).folder / FOLDER
        return _json({"controls": await run_in_threadpool(learn, folder, learned)})

    async def on_stage(self, request: Request) -> Response:
        """The shared state, once it is newer than ``?after=``; 204 where nothing comes."""
        after = _whole(request.query_params.get("after", "0"), 10**9)
        if not await self.stage.news(after, STAGE_WITHIN):
            return Response(status_code=204)
        return _json(self.stage.about())

    async def show_on_stage(self, request: Request) -> Response:
        """Share the state of a page."""
        shown = _sent(await request.body(), Shown)
        self.network(shown.state.network)
        self.stage.show(shown, request.headers.get("x-sefa-visitor", "")[:64])
        return _json(self.stage.about())

    async def move_on_stage(self, request: Request) -> Response:
        """Move controls by their knobs."""
        for source, value in _sent(await request.body(), Moves).moves.items():
            self.stage.moved(source, value)
        await self.stage.settled()
        return _json(self.stage.about())

    async def presets_file(self, request: Request) -> Response:
        """Names, presets and recipes of a network, as one file."""
        id = request.query_params.get("network", "")
        data = await run_in_threadpool(bundled, self.network(id), self.gallery(id))
        return Response(data, media_type="application/json")

    async def take_presets(self, request: Request) -> Response:
        """Take names and presets of such a file; the page keeps the states of its recipes one by one."""
        data = await request.body()

        def taken() -> dict[str, Any]:
            bundle = Bundle.read(data)
            bundle.check_fits({network.session.name: network.digest for network in self.networks})
            network, recipes = self.network(bundle.network.digest), bundle.all_recipes()
            found = take(bundle, network)._asdict()
            states = [state for recipe in recipes if (state := shown_or_none(network, recipe)) is not None]
            return {**found, "network": network.id, "states": states, "hidden": len(recipes) - len(states)}

        return _json(await run_in_threadpool(taken))

    async def kept(self, request: Request) -> Response:
        """The gallery of a network."""
        gallery = self.gallery(request.query_params.get("network", ""))
        return _json({"kept": await run_in_threadpool(gallery.listed)})

    async def keep(self, request: Request) -> Response:
        """Keep the picture of a state."""
        state = _sent(await request.body(), State)
        gallery = self.gallery(state.network)
        return JSONResponse({"id": await self._turn(request, partial(gallery.keep, state))})

    async def remove(self, request: Request) -> Response:
        """Remove a kept picture, or all."""
        choice = _sent(await request.body(), Choice)
        return JSONResponse({"removed": await run_in_threadpool(self.gallery(choice.network).remove, choice.id)})

    async def thumbnail(self, request: Request) -> Response:
        """A small JPEG of a kept picture."""
        gallery = self.gallery(request.query_params.get("network", ""))
        made = await run_in_threadpool(gallery.thumbnail, request.path_params["id"])
        return Response(made, media_type="image/jpeg")

    async def export(self, request: Request) -> Response:
        """A zip of the gallery."""
        gallery = self.gallery(request.query_params.get("network", ""))
        return Response(await run_in_threadpool(gallery.exported), media_type="application/zip")

    async def record(self, request: Request) -> Response:
        """Begin a video."""
        record = _sent(await request.body(), Record)
        if self.shared:
            sharing.check_record(record)
        network = self.network(record.state.network)
        kept = [self.gallery(network.id).find(id).recipe for id in record.kept] if record.kind == "kept" else []
        return _about_recording(await run_in_threadpool(self.recorder.start, network, record, kept))

    async def recording(self, request: Request) -> Response:
        """How far a video is."""
        return _about_recording(self.recorder.find(request.path_params["id"]))

    async def cancel(self, request: Request) -> Response:
        """Stop a video."""
        self.recorder.cancel(request.path_params["id"])
        return _about_recording(self.recorder.find(request.path_params["id"]))

    async def recorded(self, request: Request) -> Response:
        """A video, once it is done."""
        data, kind, name = await run_in_threadpool(self.recorder.find(request.path_params["id"]).content)
        return Response(data, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})

    async def photos(self, request: Request) -> Response:
        """The photographs of a network."""
        network = self.network(request.query_params.get("network", ""))
        return JSONResponse({"photos": [_about_photograph(one) for one in self.photographs.of(network)]})

    async def add_photo(self, request: Request) -> Response:
        """Take a photograph, whose file is the body."""
        network, name = self.network(request.query_params.get("network", "")), request.query_params.get("name", "")
        data = await request.body()
        made = await run_in_threadpool(self.photographs.add, network, without_unprintable(name), data)
        return JSONResponse(_about_photograph(made))

    async def photo(self, request: Request) -> Response:
        """How far a photograph is, with the picture so far."""
        one = self.photographs.find(request.path_params["id"])
        beside = _data("jpeg", one.beside) if one.beside else ""
        return JSONResponse({**_about_photograph(one), "beside": beside})

    async def photo_picture(self, request: Request) -> Response:
        """A photograph, for the clicks that crop it."""
        one = self.photographs.find(request.path_params["id"])
        return Response(await run_in_threadpool(page_picture, one), media_type="image/jpeg")

    async def photo_ws(self, request: Request) -> Response:
        """The ``projected_w.npz`` of a photograph."""
        ws = self.photographs.ws_of(request.path_params["id"])
        return Response(as_npz(ws), media_type="application/octet-stream")

    async def project(self, request: Request) -> Response:
        """Project a photograph."""
        wanted = _sent(await request.body(), Cropped)
        return JSONResponse(_about_photograph(self.photographs.start(wanted.id, wanted.crop)))

    async def region(self, request: Request) -> Response:
        """How far the last search for directions of a region is; {} where there was none."""
        return await self._about_search(self.network(request.query_params.get("network", "")))

    async def find_region(self, request: Request) -> Response:
        """Find the directions of a region."""
        drawn = _sent(await request.body(), Drawn)
        network = self.network(drawn.network)
        self.regions.start(network, drawn.region)
        return await self._about_search(network)

    async def cancel_region(self, request: Request) -> Response:
        """Stop that."""
        network = self.network(request.query_params.get("network", ""))
        self.regions.cancel(network)
        return await self._about_search(network)

    async def _about_search(self, network: Network) -> Response:
        one = self.regions.last.get(network.id)
        if one is None:
            return JSONResponse({})
        groups = await run_in_threadpool(lambda: network.groups) if one.state == "done" else []
        return JSONResponse({**one.about(), "layers": one.layers, "groups": groups})

    async def apart(self, request: Request) -> Response:
        """The pictures of two directions, with their marks, or how far they are; {} where there are none."""
        return await self._about_pair(self.network(request.query_params.get("network", "")))

    async def show_apart(self, request: Request) -> Response:
        """Render pictures of two directions that are to be marked."""
        pair = _sent(await request.body(), Pair)
        network = self.network(pair.network)
        await run_in_threadpool(self.pairs.start, network, pair)
        return await self._about_pair(network)

    async def mark_apart(self, request: Request) -> Response:
        """Mark them."""
        marked = _sent(await request.body(), Marked)
        await run_in_threadpool(self.pairs.mark, self.network(marked.network), marked.wanted)
        return JSONResponse({})

    async def make_apart(self, request: Request) -> Response:
        """The first direction apart from the second, by the marks; it then has a slider."""
        network = self.network(request.query_params.get("network", ""))
        found = await run_in_threadpool(self.pairs.make, network)
        return JSONResponse({**found._asdict(), "groups": await run_in_threadpool(lambda: network.groups)})

    async def cancel_apart(self, request: Request) -> Response:
        """Stop rendering them."""
        network = self.network(request.query_params.get("network", ""))
        self.pairs.cancel(network)
        return await self._about_pair(network)

    async def _about_pair(self, network: Network) -> Response:
        one = self.pairs.last.get(network.id)
        if one is None:
            return JSONResponse({})
        about = {**one.about(), **{key: getattr(one.pair, key) for key in ("layers", "first", "second")}}
        if one.state == "done":
            marks = (await run_in_threadpool(self.pairs.marks, network)).marks
            about["pictures"] = [_data("jpeg", picture) for picture in one.pictures]
            about["wanted"] = [number for number, mark in enumerate(marks) if mark.wanted]
        return JSONResponse(about)

    async def cancel_photo(self, request: Request) -> Response:
        """Stop a projection."""
        return JSONResponse(_about_photograph(self.photographs.cancel(request.path_params["id"])))

    async def remove_photo(self, request: Request) -> Response:
        """Forget a photograph."""
        self.photographs.remove(request.path_params["id"])
        return JSONResponse({})

    def _recipe(self, body: bytes) -> Recipe:
        try:
            recipe = Recipe.parse(body)
        except ValueError as error:
            raise RecipeError(f"this is not a recipe that can be used: {error}") from None
        return sharing.check_recipe(recipe) if self.shared else recipe

    async def _closed(self, request: Request) -> Response:
        """What strangers may not do."""
        return JSONResponse({"error": sharing.LINE}, 403)

    async def _turn(self, request: Request, work: Callable[[], T], kind: str = "", over: Sequence[str] = ()) -> T:
        visitor = request.headers.get("x-sefa-visitor", "")[:64]
        return await self.turns.take(visitor, work, kind, over)

    # --- the application --------------------------------------------------------------------------

    def app(
        self,
        hosts: Sequence[str] = LOOPBACK,
        any_address: bool = False,
        frames: Sequence[str] = (),
        prefix: str = "",
    ) -> App:
        """The ASGI application, guarded; see :class:`Guard` and :class:`Below`."""

        @asynccontextmanager
        async def life(app: Starlette) -> AsyncIterator[None]:
            self.start()
            yield
            self.stop()

        pages = {"/": "index.html", "/stage": "stage.html"}
        files = {path.name: path.read_bytes() for path in STATIC.iterdir() if path.suffix in _TYPES}
        if not self.token:
            files["index.html"] = files["index.html"].replace(b"<html", b'<html class="public"', 1)

        async def static(request: Request) -> Response:
            name = request.path_params.get("name", pages.get(request.url.path, ""))
            if name not in files:
                return JSONResponse({"error": "there is no such page"}, 404)
            return Response(files[name], media_type=_TYPES[Path(name).suffix])

        get: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "/api/studio": self.about,
            "/api/directions": self.directions,
            "/api/kept": self.kept,
            "/api/kept/{id}": self.thumbnail,
            "/api/export": self.export,
            "/api/presets": self.presets,
            "/api/presets/file": self.presets_file,
            "/api/stage": self.on_stage,
            "/api/photos": self.photos,
            "/api/photos/{id}": self.photo,
            "/api/photos/{id}/picture": self.photo_picture,
            "/api/photos/{id}/ws": self.photo_ws,
            "/api/region": self.region,
            "/api/apart": self.apart,
            "/api/record/{id}": self.recording,
            "/api/record/{id}/file": self.recorded,
        }
        post: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "/api/preview": self.preview,
            "/api/frame": self.picture_of_state,
            "/api/picture": self.picture,
            "/api/strip": self.strip,
            "/api/recipe": self.recipe,
            "/api/lines": self.lines,
            "/api/open": self.open_recipe,
            "/api/name": self.name,
            "/api/presets": self.set_preset,
            "/api/presets/file": self.take_presets,
            "/api/controls": self.learn,
            "/api/stage": self.show_on_stage,
            "/api/stage/move": self.move_on_stage,
            "/api/keep": self.keep,
            "/api/remove": self.remove,
            "/api/photos": self.add_photo,
            "/api/photos/{id}/cancel": self.cancel_photo,
            "/api/photos/{id}/remove": self.remove_photo,
            "/api/project": self.project,
            "/api/region": self.find_region,
            "/api/region/cancel": self.cancel_region,
            "/api/apart": self.show_apart,
            "/api/apart/marks": self.mark_apart,
            "/api/apart/make": self.make_apart,
            "/api/apart/cancel": self.cancel_apart,
            "/api/record": self.record,
            "/api/record/{id}/cancel": self.cancel,
        }
        routes = [Route(path, static) for path in (*pages, "/static/{name}")]
        if self.shared:
            closed = [*sharing.CLOSED, *([] if self.scratch else ["/api/record"])]
            open_to_all = (path for path in get if not sharing.is_closed(path, closed) or path in sharing.READ)
            get = {path: get[path] for path in open_to_all}
            post = {path: answer for path, answer in post.items() if not sharing.is_closed(path, closed)}
        routes += [Route(path, self._answering(answer), methods=["GET"]) for path, answer in get.items()]
        routes += [Route(path, self._answering(answer), methods=["POST"]) for path, answer in post.items()]
        if self.shared:
            routes.append(Route("/api/{rest:path}", self._closed, methods=["GET", "POST"]))
        body = sharing.BODY if self.shared else None
        made = Guard(Starlette(routes=routes, lifespan=life), self.token, hosts, any_address, frames, body)
        return Below(made, prefix) if prefix else made

    def _answering(self, answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """An endpoint whose errors are one line, with a status that fits."""

        async def answered(request: Request) -> Response:
            try:
                if self.shared:
                    self._visitors.welcome(request.headers.get("x-sefa-visitor", "")[:64])
                return await answer(request)
            except Superseded:
                return Response(status_code=204)
            except TooMany as error:
                return JSONResponse({"error": str(error)}, 503)
            except (BundleError, RecipeError, PictureError, ValueError) as error:  # settings too
                return JSONResponse({"error": one_line(str(error))}, 400)
            except FramesError as error:
                return JSONResponse({"error": one_line(str(error))}, 422)
            except Exception as error:  # of any kind: the studio lives on
                line = self._explained(error)
                self.log(f"{request.url.path}: {line}")
                return JSONResponse({"error": line}, 500)

        return answered


def _about_recording(one: Recording) -> Response:
    return JSONResponse({"id": one.id, **one.about(), "command": lines.shown(one.words) if one.words else ""})


def _about_photograph(one: Photograph) -> dict[str, object]:
    about = {key: getattr(one, key) for key in ("id", "name", "state", "message", "done", "total")}
    return {**about, "width": one.pixels.shape[1], "height": one.pixels.shape[0], "projected": one.ws is not None}


def _explained(error: BaseException) -> str:
    """An error as one line."""
    if type(error).__module__.startswith("sefa_plugin"):
        return one_line(str(error))
    if isinstance(error, OSError):
        return one_line(f"{error.filename or ''}: {error.strerror or error}".removeprefix(": "))
    return one_line(f"unexpected {type(error).__name__}: {error}")


def _sent(body: bytes, kind: type[Kind]) -> Kind:
    held: Kind = parsed(body, kind)
    return held


def _whole(text: str, most: int) -> int:
    if not text.isdecimal() or len(text) > 9 or int(text) > most:
        raise ValueError(f"{text!r:.40}: expected a whole number up to {most}")
    return int(text)


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


def _data(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


# --- serving ------------------------------------------------------------------------------------------


def networks_of(
    sessions: Sequence[tuple[Session, Path]], look: Look, shared: bool = False, seeds: Sequence[int] = ()
) -> list[Network]:
    """Networks for a studio, each with the folder of its outputs and its first seed, which is 0 without ``seeds``.

    See :class:`Network`.
    """
    firsts = seeds or [0] * len(sessions)
    return [Network(session, folder, look, shared, seed) for (session, folder), seed in zip(sessions, firsts)]


def serve(
    studio: Studio,
    host: str = LOOPBACK[0],
    port: int = PORT,
    allowed: Sequence[str] = (),
    ready: Callable[[str], None] = lambda address: None,
    osc: int | None = None,
    frames: Sequence[str] = (),
    prefix: str = "",
) -> None:
    """Serve until the process is interrupted.

    Args:
        studio: what is served.
        host, port: where it listens; port 0 takes a free one.
        allowed: further names that it may be called by.
        ready: called with the address, once it is served.
        osc: the port of the same host where messages of OSC are taken; 0 takes a free one.
        frames: origins of pages that may show this one inside of them.
        prefix: the path of the page, ``/sefa``.

    Raises:
        StudioError: the port is in use, or the host is none of this computer.
    """
    asyncio.run(_served(studio, host, port, allowed, ready, osc, frames, prefix))


async def _served(
    studio: Studio,
    host: str,
    port: int,
    allowed: Sequence[str],
    ready: Callable[[str], None],
    osc: int | None,
    frames: Sequence[str],
    prefix: str,
) -> None:
    def app(hosts: Sequence[str], any_address: bool) -> App:
        return studio.app(hosts, any_address, frames, prefix)

    listening = None
    try:
        if osc is not None:
            listening, studio.osc = await listen_to_osc(studio.stage, host, osc)
        await served(app, studio.token, host, port, allowed, ready, prefix)
    finally:
        if listening is not None:
            listening.close()


async def listen_to_osc(stage: Stage, host: str, port: int) -> tuple[asyncio.BaseTransport, str]:
    """Take messages of OSC until the transport is closed; returns it, and the address, ``127.0.0.1:9000``.

    Raises:
        StudioError: the port is in use.
    """
    from .osc import Osc

    loop = asyncio.get_running_loop()
    try:
        transport, _ = await loop.create_datagram_endpoint(lambda: Osc(stage.moved), local_addr=(host, port))
    except OSError as error:
        raise StudioError(f"--osc {port}: {error.strerror or error}; type another port") from None
    taken = transport.get_extra_info("sockname")
    return transport, f"{taken[0]}:{taken[1]}"
