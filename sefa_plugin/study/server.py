"""The server of a study: its page, its clips, and answers, which are on the disk before the next question."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from ..reading.json_file import parsed
from ..studio.guard import LOOPBACK, App, Guard
from ..system.messages import one_line
from . import answers
from .copy import PAGE
from .design import CLIPS, Study

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
CHOICES = {"one": ("change", "nothing", "unsure"), "pair": ("left", "right", "unsure")}


class _Who(Struct, forbid_unknown_fields=True):
    """Whose answers are asked for."""

    name: Annotated[str, Meta(min_length=1, max_length=80)]


@dataclass(frozen=True)
class Asked:
    """A study that is served.

    Args:
        study, folder: what is asked, and where answers are put.
        token: what requests must bring along.
        log: called with one line on what failed.
    """

    study: Study
    folder: Path
    token: str
    log: Callable[[str], None] = lambda text: None

    async def about(self, request: Request) -> Response:
        """What the page needs of the study."""
        return _json(self.study.public())

    async def clip(self, request: Request) -> Response:
        """A clip."""
        name = request.path_params["name"]
        known = {file for item in self.study.items for clip in item.clips for file in clip.files}
        path = self.folder / CLIPS / name
        if name not in known or not path.is_file():
            return JSONResponse({"error": "there is no such clip"}, 404)
        return FileResponse(path, media_type="video/mp4")

    async def earlier(self, request: Request) -> Response:
        """What a person has answered so far."""
        who: _Who = parsed(await request.body(), _Who)
        return _json(await run_in_threadpool(self._of, who.name))

    def _of(self, name: str) -> dict[str, object]:
        path = answers.file_of(self.folder, name)
        records = answers.read(path)[0] if path.is_file() else []
        mine = [one for one in records if one.study == self.study.id]
        begun = any(isinstance(one, answers.Begin) for one in mine)
        return {"begun": begun, "answers": list(answers.latest(mine).values())}

    async def add(self, request: Request) -> Response:
        """Keep a record."""
        record: answers.Record = parsed(await request.body(), answers.Record)
        if record.study != self.study.id:
            raise ValueError("this page is of another study; load it again")
        if not record.name.isprintable() or not record.name.strip():
            raise ValueError("a name is needed, of letters, digits and the like")
        if isinstance(record, answers.Answer):
            self._check(record)
        elif not record.consent:
            raise ValueError("nobody takes part without consent")
        await run_in_threadpool(answers.append, self.folder, record)
        return JSONResponse({})

    def _check(self, answer: answers.Answer) -> None:
        item = self.study.item(answer.item)
        if item is None or len(item.clips) != len(answer.shown):
            raise ValueError("there is no such question")
        known = {file for clip in item.clips for file in clip.files}
        if not set(answer.shown) <= known or answer.choice not in CHOICES[item.kind]:
            raise ValueError("this answer is to another question")
        if not answer.plays:
            raise ValueError("the clip was not watched to its end")
        if answer.choice == "change" and (not answer.text.strip() or not answer.clean):
            raise ValueError("what changes, and how cleanly, is missing")

    # --- the application --------------------------------------------------------------------------

    def app(self, hosts: Sequence[str] = LOOPBACK, any_address: bool = False) -> App:
        """The ASGI application, guarded as the studio's."""
        files = {path.name: path.read_bytes() for path in PAGE.iterdir()}

        async def page(request: Request) -> Response:
            name = request.path_params.get("name", "index.html")
            if name not in files:
                return JSONResponse({"error": "there is no such page"}, 404)
            return Response(files[name], media_type=_TYPES[Path(name).suffix])

        routes = [
            Route("/api/study", self._answering(self.about), methods=["GET"]),
            Route("/api/clips/{name}", self._answering(self.clip), methods=["GET"]),
            Route("/api/earlier", self._answering(self.earlier), methods=["POST"]),
            Route("/api/answers", self._answering(self.add), methods=["POST"]),
            Route("/", page),
            Route("/{name}", page),
        ]
        return Guard(Starlette(routes=routes), self.token, hosts, any_address)

    def _answering(self, answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        return partial(self._answered, answer)

    async def _answered(self, answer: Callable[[Request], Awaitable[Response]], request: Request) -> Response:
        """An answer; what fails is one line, with a status that fits."""
        try:
            return await answer(request)
        except ValueError as error:
            return JSONResponse({"error": one_line(str(error))}, 400)
        except OSError as error:
            line = one_line(f"the answer is not saved: {error.strerror or error}")
            self.log(line)
            return JSONResponse({"error": line}, 500)


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
