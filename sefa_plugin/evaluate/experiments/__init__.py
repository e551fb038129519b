"""The experiments of ``sefa evaluate``: from samples, methods and statistics to tables."""
