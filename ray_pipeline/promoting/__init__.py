"""Whether new models replace the serving ones: both are judged on the same later rows."""
