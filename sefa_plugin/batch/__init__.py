"""Runs of many networks, in parts that any process or computer makes, alone or with others.

In: files of networks, and what is made of each (``renders``: sheets and clips; ``scores``: evaluations). ``job`` lists
shards, each a network and a block of its directions and seeds, in one file; ``shard`` makes one of them, into a folder
of its own with a record; ``running`` makes those that have none, ``cluster`` by Ray; ``merging`` joins them to what a
run of each network makes. Everything is in one folder, which several computers may share.

Doors: ``job``, ``renders``, ``scores``, ``running``, ``cluster``, ``merging``.
"""
