"""Generators written for inference, in plain PyTorch: no compiler, any device, weights by the toolkits' names."""
