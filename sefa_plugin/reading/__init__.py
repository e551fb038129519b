"""Readers of untrusted files: from a path or an address to plain values, and from those to a ``NetworkRecord``.

In: pickles, ``torch.save``, zip, tar, gzip, npy and npz, safetensors, JSON. Out: records and arrays.
No code of a file is run, sizes are checked before memory is allocated, and torch is not imported.

Doors: ``network_file``, ``network_record``, ``pickle_values``, ``tensors_file``, ``array_file``,
``json_file``, ``safetensors_header``, ``tensor_view``, ``module_walk``, ``torch_file``, ``download``,
``hub``, ``archives``, ``state_dicts``, ``audit``.
"""
