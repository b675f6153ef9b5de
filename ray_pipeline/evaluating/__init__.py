"""Evaluation: what trained models' out-of-sample predictions would have been worth."""
