"""``EasyDict``: a dict whose keys are attributes too."""

from __future__ import annotations

from typing import Any


class EasyDict(dict):
    """A dict that also answers to ``d.key``; missing keys raise ``AttributeError``."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(name) from None
