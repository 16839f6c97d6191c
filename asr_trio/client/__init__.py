"""A Trio client of the recognition protocol."""
