"""From directions and a generator to frames.

In: seeds or files (``latents``, ``latent_files``), a ``Look``, edits (``typed_edits``, ``edits``). ``shards`` say as
plain data what is to be rendered; an ``engine`` makes their pictures, ``local`` in this process, by a ``Scene``.
``ranges`` says how far a direction goes.

Doors: ``shards``, ``engine``, ``local``, ``arithmetic``, ``scene``, ``look``, ``edits``, ``typed_edits``,
``timelines``, ``paths``, ``animation``, ``calibration``, ``ranges``, ``latents``, ``latent_files``.
"""
