"""Measure the effects of directions on any network, by attribute scores of edited samples.

In: a generator and a scorer. Out: tables, intervals, names. Sub-rooms: ``scorers``, ``samples``, ``methods``,
``statistics``, ``experiments``, and ``tables`` for their results.

Doors: every module of its sub-rooms.
"""
