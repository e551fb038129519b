"""A study: people look at clips of directions, and say what changes.

In: folders of finished runs. ``clips`` reads their videos and turns them round, ``making`` puts them into the folder of
a study under names that say nothing, described by a ``design``. Out: the ``page`` that asks, with ``texts`` that can be
replaced, by a ``server`` or as a ``copy`` of plain files; ``answers``, a file for each person, which
``sefa evaluate study`` reads.

Doors: ``making``, ``design``, ``answers``, ``server``, ``copy``.
"""
