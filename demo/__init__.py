"""The procedural world of faces and the recipe that trained the bundled network."""
