"""Routing: which model serves each symbol of a target, and the training plan that follows."""
