"""The commands: the only room that imports click.

In: what was typed. ``given`` turns options into typed settings, once; the other modules call the rooms below and print;
``shell`` turns errors into one line and an exit code. No logic.

Doors: ``cli``.
"""
