"""What a run leaves for people: names and columns of its files, and typed reading of them."""
