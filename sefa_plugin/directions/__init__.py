"""From weights to editing directions, their file, and the formats of other tools.

In: style layers (``layers``, ``factorization``; the mathematics on matrices is ``closed_form``). Out: ``Directions``,
with names, measured ranges, and the file that they are kept in (``kept``).

Doors: ``directions``, ``factorization``, ``closed_form``, ``layers``, ``kept``, ``keys``, ``names``, ``ties``,
``region``, ``file``, ``foreign_files``, ``importing``, ``exporting``, ``compare``, ``sharp``, ``sharpening``,
``apart``.
"""
