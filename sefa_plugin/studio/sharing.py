"""What a studio for strangers allows: nothing that they do is kept, and everything is bounded."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from ..runs.recipe import Recipe
from ..runs.settings import SettingsError
from .state import Record
from .turns import TooMany

BODY = 1 << 20  # bytes of a request
VISITORS, AWAY = 24, 60.0  # visitors at once, and seconds after which one who asks for nothing has left
WAITING = 3  # pictures of one visitor that wait
SEEDS, EDITS = 16, 64  # of a recipe
FRAMES, WIDTH = 120, 1024  # of a video
CLOSED = (  # what is answered by a line, with what lies below
    *("/api/name", "/api/presets", "/api/controls", "/api/keep", "/api/remove", "/api/export"),
    *("/api/stage", "/api/photos", "/api/project", "/api/region", "/api/apart"),
)
READ = ("/api/presets", "/api/presets/file")  # of these, reading is open
LINE = "this studio is shared with others: nothing is kept or changed here"
TROUBLE = "the studio could not do this; try another picture"


def is_closed(path: str, closed: Sequence[str]) -> bool:
    """Whether a path is one of these, or lies below one."""
    return any(path == one or path.startswith(f"{one}/") for one in closed)


class Visitors:
    """Who is here: at most ``VISITORS`` at a time."""

    def __init__(self) -> None:
        self._seen: dict[str, float] = {}

    def welcome(self, visitor: str) -> None:
        """Let a visitor in, who may be here already.

        Raises:
            TooMany: the studio is full.
        """
        now = time.monotonic()
        if visitor not in self._seen:
            self._seen = {one: seen for one, seen in self._seen.items() if now - seen < AWAY}
            if len(self._seen) >= VISITORS:
                raise TooMany(f"{VISITORS} visitors are here, which is as many as fit; try again in a minute")
        self._seen[visitor] = now


def check_recipe(recipe: Recipe) -> Recipe:
    """A recipe of a stranger.

    Raises:
        SettingsError: it is too large.
    """
    if len(recipe.seeds) > SEEDS or len(recipe.edits) > EDITS or (recipe.ws is not None and len(recipe.ws) > SEEDS):
        raise SettingsError(f"this studio is shared with others: recipes have up to {SEEDS} seeds and {EDITS} edits")
    return recipe


def check_record(record: Record) -> None:
    """Check a video of a stranger.

    Raises:
        SettingsError: it is too large.
    """
    subjects = len(record.seeds) + len(record.kept)
    if record.frames > FRAMES or (record.size or 0) > WIDTH or record.video == "png" or subjects > SEEDS:
        raise SettingsError(
            f"this studio is shared with others: videos are MP4 or GIF, of up to {FRAMES} frames and {WIDTH} pixels"
        )


def without_places(recipe: Recipe) -> Recipe:
    """A recipe that says the name of its network's file, and not where that lies on this computer."""
    name = recipe.network["path"].replace("\\", "/").rsplit("/", 1)[-1]
    return replace(recipe, network={**recipe.network, "path": name})
