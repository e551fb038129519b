"""What browser tests do with a page: wait, watch, read the studio's picture and its sliders."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

Found = TypeVar("Found")


def until(found: Callable[[], Found], seconds: float = 60) -> Found:
    """Wait for what is true, and give it; Playwright's own wait evaluates text, which the page's policy forbids."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if held := found():
            return held
        time.sleep(0.05)
    pytest.fail("never true")


def watched(tab: Any, said: list[str] | None = None, asked: list[str] | None = None) -> list[str]:
    """What a page says to the console, and where it asks for something: added to lists as it happens."""
    said = [] if said is None else said
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    if asked is not None:
        tab.on("request", lambda request: asked.append(request.url))
    return said


def shown(tab: Any) -> tuple[int, str, dict[str, Any]]:
    """The number of the picture, ``full`` or ``preview``, and its state: one reading, so that they belong together."""
    held = tab.locator("#picture").get_attribute("data-state")
    number, kind, state = held.split(" ", 2) if held else ("0", "", "{}")
    return int(number), kind, json.loads(state)


State = dict[str, Any]


def settled(tab: Any, true: Callable[[State], object] = lambda state: True) -> State:
    """Wait for a full picture of a state; gives the state."""

    def found() -> State | None:
        _, kind, state = shown(tab)
        return state if kind == "full" and true(state) else None

    return until(found)


def edits(state: dict[str, Any]) -> dict[tuple[str, int], float]:
    """The distance of each slider that is not at 0."""
    return {(one["layers"], one["index"]): one["distance"] for one in state["edits"]}


def calibrated(tab: Any) -> None:
    """Wait until the six sliders have their ranges."""
    until(lambda: tab.locator("input[type=range]").count() == 6 and tab.locator(".measuring").count() == 0)


def picked(tab: Any, group: str, seconds: float = 60) -> None:
    """Wait until the sliders of a group of layers are chosen, which may not be there yet."""
    until(lambda: tab.locator("#groups label", has_text=group).locator("input:checked").count() == 1, seconds)


def slider(tab: Any, name: str = "Direction 0") -> Any:
    """A slider by its accessible name."""
    return tab.get_by_role("slider", name=name, exact=True)
