"""Packets of Open Sound Control."""

from __future__ import annotations

import pytest

osc_message_builder = pytest.importorskip("pythonosc.osc_message_builder")


def packet(address, *values):
    """One message."""
    made = osc_message_builder.OscMessageBuilder(address)
    for value in values:
        made.add_arg(value)
    return made.build().dgram
