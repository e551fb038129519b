"""The commands: the only room that imports click.

In: the command line. ``given`` converts options to typed settings; the other modules call other rooms and print;
``shell`` converts errors to one line and an exit code.

Doors: ``cli``.
"""
