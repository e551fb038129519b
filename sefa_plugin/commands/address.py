"""Where a page of ours is listened at, and who may open it: for ``studio`` and ``study``."""

from __future__ import annotations

import click

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def check_address(host: str, token: str | None, public: bool = False) -> None:
    """Check --host and --token.

    Raises:
        click.UsageError: others could reach the page without a secret, or this is none.
    """
    if host not in LOOPBACK and not token and not public:
        raise click.UsageError(
            f"--host {host}: others could reach the page; choose a secret for its address: --token TEXT"
        )
    if token is not None and (len(token) < 8 or not token.isascii() or not token.replace("-", "").isalnum()):
        raise click.UsageError("--token: 8 or more letters, digits and - are needed")
