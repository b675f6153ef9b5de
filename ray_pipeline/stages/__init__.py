"""Stages: their names, units, tables and needs, stated once; and their context."""
