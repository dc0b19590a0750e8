"""What files of science say about themselves, read from a few ranges of them."""
