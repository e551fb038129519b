"""Where things lie in the repository, and names that no file may have."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"
# Names that Windows keeps for devices.
RESERVED = {
    "con",
    "prn",
    "aux",
    "nul",
    "conin$",
    "conout$",
    *(f"{d}{n}" for d in ("com", "lpt") for n in "0123456789¹²³"),
}
# A process that sees this checkout only where a test puts it, even if it is installed in editable mode.
NOTHING_EDITABLE = (
    "import sys\nsys.meta_path = [f for f in sys.meta_path if 'editable' not in type(f).__module__ + repr(f)]\n"
)
