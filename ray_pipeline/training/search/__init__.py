"""Hyperparameter search inside the folds: spaces, trials as units, and its evaluation."""
