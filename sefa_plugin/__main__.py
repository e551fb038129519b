"""``python -m sefa_plugin``: the same as ``sefa``."""

from .cli import sefa

if __name__ == "__main__":
    sefa(prog_name="python -m sefa_plugin")
