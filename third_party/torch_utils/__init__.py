"""The part of the ``torch_utils`` interface that network files refer to; our own implementation."""
