"""Doubt: the features that carry a skill that is too good, and what remains if they come late."""
