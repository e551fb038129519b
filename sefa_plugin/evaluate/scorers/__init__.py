"""Scorers of attributes: pictures in, one number for each attribute out."""
