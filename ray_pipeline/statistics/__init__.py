"""Arrays in, numbers out: folds, skill, HAC errors, false discoveries, ridge, leakage."""
