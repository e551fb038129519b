"""The outputs of one command, in one folder.

In: typed settings. Out: files, each whole, recorded in ``run.json`` and shown on the page. ``session`` opens a network
and provides directions and a view; it raises errors of its own and prints nothing. ``each_direction``,
``two_directions`` and ``recipe_outputs`` plan outputs, as plain data; ``making`` makes them from an engine's pictures.

Doors: ``session``, ``settings``, ``chosen_edits``, ``each_direction``, ``two_directions``, ``recipe``,
``recipe_outputs``, ``output_settings``, ``plan``, ``making``, ``record``, ``folder``, ``command_line``, ``renaming``,
``apart``.
"""
