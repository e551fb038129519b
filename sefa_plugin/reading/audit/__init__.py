"""What Python's unpickler would do with a file, intact or broken; no code of it is run.

In: a path. Out: an ``Audit`` (``audit``) and its lines or JSON (``text``).
"""
