"""What a file would do if Python's unpickler read it: an account, of whole and of broken files; nothing is run.

In: a path. Out: an ``Audit`` (``audit``) and its lines or JSON (``text``).
"""
