"""Does it work? Experiments on any network, by attribute scores of edited samples.

In: a generator and a scorer. Out: tables, intervals, names. Sub-rooms: ``scorers``, ``samples``, ``methods``,
``statistics``, ``experiments``, and ``tables`` for what they print.

Doors: every module of its sub-rooms.
"""
