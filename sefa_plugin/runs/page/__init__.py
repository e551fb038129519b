"""The page of an output folder, made from its record: ``contents`` collects its content, ``html`` writes it."""
