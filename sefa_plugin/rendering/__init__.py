"""From directions and a generator to frames.

In: seeds or files (``latents``, ``latent_files``), a ``Look``, edits (``typed_edits``, ``edits``). Out: a ``Scene``
gives uint8 pictures, a batch in memory at a time, along timelines and paths; ``ranges`` says how far a direction goes.

Doors: ``scene``, ``look``, ``edits``, ``typed_edits``, ``timelines``, ``paths``, ``animation``, ``frames``,
``calibration``, ``ranges``, ``latents``.
"""
