"""Work for the benchmarks' contest, which imports it by name."""

from collections.abc import Callable


def works(fails: bool) -> Callable[[int], None]:
    """Does nothing; the second turn fails, where it is to."""

    def run(number: int) -> None:
        if fails and number == 1:
            raise ValueError("no more")

    return run
