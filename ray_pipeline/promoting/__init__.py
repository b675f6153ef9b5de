"""Whether new models serve instead of the present ones: both are judged on the same later rows."""
