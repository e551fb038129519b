"""Numbers from scores: effects, purity, intervals by resampling. NumPy and SciPy only."""
