"""Everything that reads a stranger's bytes, fuzzed (``python -m fuzz``) and compared (``python -m fuzz.compare``)."""
