"""Generators in memory, of classes that no hook has seen."""

import torch


class _Mapping(torch.nn.Module):
    def __init__(self, mapping):
        super().__init__()
        self.inner = mapping

    def forward(self, z, c):
        return self.inner(z, c)


class _Synthesis(torch.nn.Module):
    def __init__(self, synthesis):
        super().__init__()
        self.inner = synthesis

    def forward(self, ws):
        return self.inner(ws, noise_mode="const")


class Plain(torch.nn.Module):
    """A generator that takes no keywords, around the parts of another one."""

    def __init__(self, G):
        super().__init__()
        self.mapping, self.synthesis = _Mapping(G.mapping), _Synthesis(G.synthesis)
