"""``python -m sefa_plugin``: the same as ``sefa``."""

from .start import python_m

if __name__ == "__main__":
    python_m()
