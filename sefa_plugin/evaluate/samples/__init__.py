"""Samples of a network, edited and scored; earlier scores and measurements are read from files."""
