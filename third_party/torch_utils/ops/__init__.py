"""The operators that network files call, on ordinary PyTorch operations: any device, any order of gradient."""
