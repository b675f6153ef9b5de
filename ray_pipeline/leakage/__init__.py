"""Screening for leaks: features that know the future, found before any model is fitted."""
