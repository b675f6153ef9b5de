"""Feature selection: which features carry a target, chosen inside each training fold."""
