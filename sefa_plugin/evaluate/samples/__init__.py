"""Samples of a network, edited and scored; what was rendered and scored before is read again."""
