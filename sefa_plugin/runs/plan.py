"""What a run is to make: its outputs, each with all the settings that decide how it looks."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ..directions.kept import KeptDirections
from ..rendering.scene import Scene
from ..system.file_names import safe_name
from .folder import Reporter
from .record import Manifest, Settings

RENDERER = 2  # raised when equal settings would give other pictures


def common_settings(scene: Scene, manifest: Manifest) -> Settings:
    """What decides all pictures of a scene, for the record."""
    look = scene.look
    return {
        "renderer": RENDERER,
        "network": manifest.network["digest"],
        "subjects": scene.labels,
        "projected": scene.projected,
        "look": {**asdict(look), "translate": list(look.translate), "camera": list(look.camera)},
    }


def is_current(manifest: Manifest, name: str, settings: Settings, reporter: Reporter) -> bool:
    """Whether an output is up to date; says so, or that it will be replaced."""
    if manifest.is_current(name, settings):
        reporter.say(f"{name}: is up to date, kept")
        return True
    if (manifest.outdir / name).exists():
        reporter.say(f"{name}: was made with other settings, will be replaced")
    return False


@dataclass(eq=False)
class Job:
    """One direction; names of outputs are relative to the folder, None where nothing is (or is left) to make."""

    group: KeptDirections
    index: int
    sheet: str | None
    video: str | None
    low: float = 0.0
    high: float = 0.0

    @property
    def stem(self) -> str:
        """Its name in file names."""
        return stem_of(self.group, self.index)


def stem_of(group: KeptDirections, index: int) -> str:
    return safe_name(f"{group.directions.label}-dir{index:02d}")
