"""Running your own per-symbol stages."""
