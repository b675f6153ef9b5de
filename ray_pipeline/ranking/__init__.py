"""Target ranking: which targets can be predicted out of sample, in both views."""
