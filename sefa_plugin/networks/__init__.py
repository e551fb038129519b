"""From a record, and the hook that fits it, to style layers and a generator with NVIDIA's interface.

In: a path (``opening``), or a module in memory (``in_memory``). Out: an ``OpenNetwork``, which is enough to factorise;
a generator (``building``); the layers of any generator (``style_layers``).

Doors: ``opening``, ``weights``, ``building``, ``generator`` (its type), ``style_layers``, ``in_memory``,
``eg3d_camera``.
"""
