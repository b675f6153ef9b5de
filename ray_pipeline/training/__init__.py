"""Model training: the jobs of the plan, their out-of-sample predictions and saved models."""
