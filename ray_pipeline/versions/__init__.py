"""Versions of a run's models: kept whole, named by their data, and one of them serves."""
