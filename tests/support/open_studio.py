"""A studio of networks in this process, and a client of it."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from places import GOLDEN

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
testclient = pytest.importorskip("starlette.testclient")

from sefa_plugin.rendering.look import Look  # noqa: E402
from sefa_plugin.runs.folder import folder_of, own_folder  # noqa: E402
from sefa_plugin.runs.session import Session  # noqa: E402
from sefa_plugin.runs.settings import NetworkChoice  # noqa: E402
from sefa_plugin.studio.server import Studio, networks_of  # noqa: E402

SMALL = GOLDEN / "sg2-in-sg3-32.pkl"
TOKEN = "a-token-of-this-test"
HEAD = {"X-Sefa-Token": TOKEN, "X-Sefa-Visitor": "somebody"}


@contextmanager
def opened(*networks, shared=False, scratch=None, token=TOKEN, app=None):
    """Open it in the current folder; gives it and a client. ``app``: options of its application."""
    sessions = [Session.open(NetworkChoice(str(network))) for network in networks or (SMALL,)]
    folders = [folder_of(one.about()) if shared else own_folder(one.about(), ["sefa"]) for one in sessions]
    found = networks_of(list(zip(sessions, folders)), Look(), shared)
    made = Studio(found, token, shared=shared, scratch=scratch)
    with testclient.TestClient(made.app(**(app or {})), base_url="http://127.0.0.1:8765", headers=HEAD) as client:
        yield made, client


def answered(response, status=200):
    """The JSON of an answer of this status."""
    assert response.status_code == status, response.text
    return response.json()
