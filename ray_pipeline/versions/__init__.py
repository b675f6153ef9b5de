"""Versions of a run's models: complete copies, named after their data, one of which serves."""
