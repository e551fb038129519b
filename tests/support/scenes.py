"""Pictures of a scene along a direction."""

from itertools import islice

from sefa_plugin.rendering.edits import edit_of
from sefa_plugin.rendering.shards import Shard


def pictures_along(scene, directions, key, distances):
    """For each distance along a direction, the pictures of all subjects."""
    pictures = scene.pictures(Shard.along(scene.view, edit_of(directions, key, 1.0), distances))
    while row := list(islice(pictures, len(scene))):
        yield row
