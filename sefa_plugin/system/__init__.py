"""The operating system: files written whole or not at all, portable file names, signals, messages.

In: paths, text, a process's memory and threads. Out: whole files, safe names, one-line messages. Standard library only;
imports nothing of ours, nor NumPy or torch.

Doors: ``whole_files``, ``claims``, ``regular_files``, ``file_names``, ``messages``, ``processor``, ``interrupts``,
``environment``.
"""
