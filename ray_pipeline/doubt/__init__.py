"""Doubt: what carries a skill that is too good, and what is left of it when that comes late."""
