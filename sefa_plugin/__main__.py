"""``python -m sefa_plugin``: the same as ``sefa``."""

import sys

from .environment import too_old


def main() -> None:
    """Run the commands, unless this Python or what it has is too old for them: then that is all that is said."""
    text = too_old()
    if text:
        sys.exit(f"Error: {text}")

    from .cli import sefa

    sefa(prog_name="python -m sefa_plugin")


if __name__ == "__main__":
    main()
