"""Open Sound Control: messages over UDP move the controls of the stage."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from pythonosc.osc_packet import OscPacket

from .stage import Value

_LONGEST = 200  # letters of an address
_READERS = ("osc_message", "osc_bundle")


def _is_no_remark(record: logging.LogRecord) -> bool:
    """Whether a line is not one of python-osc on a packet, which anybody could send by the thousand."""
    return record.module not in _READERS


class Osc(asyncio.DatagramProtocol):
    """Reads packets; what is none is dropped.

    Args:
        moved: called with the address and the first value of each message.
    """

    def __init__(self, moved: Callable[[str, Value], None]) -> None:
        self._moved = moved
        logging.getLogger().addFilter(_is_no_remark)

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Take a packet, a bundle at once whatever its time."""
        try:
            messages = [one.message for one in OscPacket(data).messages]
        except Exception:  # of any kind: these are a stranger's bytes
            return
        for message in messages:
            address, values = message.address, message.params
            if len(address) <= _LONGEST and address.isprintable():
                self._moved(address, _plain(values[0]) if values else None)


def _plain(value: object) -> Value:
    if isinstance(value, (bool, int, float)):
        return float(max(-(2**53), min(2**53, value)))
    return value[:_LONGEST] if isinstance(value, str) else None
