"""The experiments of ``sefa evaluate``: from samples, methods, statistics and people's answers to tables."""
