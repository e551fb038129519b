"""Numbers from scores: effects, purity, intervals by resampling. NumPy only."""
