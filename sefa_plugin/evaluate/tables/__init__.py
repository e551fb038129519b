"""Results as tables: Markdown, CSV, JSON, pictures."""
