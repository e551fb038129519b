"""From directions and a generator to frames.

In: seeds or files (``latents``, ``latent_files``), a ``Look``, edits (``typed_edits``, ``edits``). ``shards`` list as
plain data what is rendered; an ``engine`` makes their pictures, ``local`` in this process, by a ``Scene``.
``ranges`` holds the range of each direction.

Doors: ``shards``, ``engine``, ``local``, ``arithmetic``, ``scene``, ``look``, ``edits``, ``typed_edits``,
``timelines``, ``paths``, ``animation``, ``previews``, ``frames``, ``calibration``, ``ranges``, ``latents``,
``latent_files``.
"""
