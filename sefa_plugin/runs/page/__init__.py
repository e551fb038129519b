"""The page of an output folder, made from its record: ``contents`` says what is on it, ``html`` writes it."""
