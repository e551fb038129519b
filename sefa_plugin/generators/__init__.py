"""Generators written for inference, in plain PyTorch: no compiler, any device, weights by the toolkits' names.

In: sizes and options of a network. Out: an ``nn.Module`` whose weights are loaded afterwards, and operators (``ops``).
Imports nothing of ours.

Doors: every module.
"""
