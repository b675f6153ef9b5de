"""What the out-of-sample predictions of trained models would have been worth to a trader."""
