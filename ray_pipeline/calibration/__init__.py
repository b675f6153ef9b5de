"""What scores mean: probabilities and intervals learned of outcomes, and how far these hold."""
