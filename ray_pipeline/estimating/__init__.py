"""Estimates: the time, memory, disk and requests of a run, told before it is made."""
