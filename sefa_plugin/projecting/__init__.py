"""From a photograph to the ws of a network whose picture looks like it.

In: a picture's bytes or path (``picture`` crops it), and a generator. ``manifold`` samples the network's own codes,
``loss`` compares pictures, ``descent`` searches a code step by step, ``projector`` those of many pictures, ``quality``
measures what was found, ``tuning`` adapts the network's weights, ``encoder`` learns codes of the network's own samples,
``functions`` imports a user's loss or detector. Out: a folder with ``projected_w.npz`` and what shows it (``folder``).

Doors: ``settings``, ``picture``, ``projector``, ``descent``, ``quality``, ``folder``, ``tuning``, ``encoder``,
``functions``.
"""
