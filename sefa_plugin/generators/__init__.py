"""Generators for inference, in plain PyTorch: no compiled operators, any device, the toolkits' names of weights.

In: sizes and options of a network. Out: an ``nn.Module`` whose weights are loaded afterwards, and operators (``ops``).
Imports nothing of ours.

Doors: every module.
"""
