"""The steps. They do not import each other: they meet only in the tables."""
