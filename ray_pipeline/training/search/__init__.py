"""Hyperparameters searched inside the folds: spaces, trials as units, and what they are worth."""
