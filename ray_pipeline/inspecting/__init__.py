"""The first stages of a run: every symbol inspected, the panel laid out, the batch compared."""
