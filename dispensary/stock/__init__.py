"""What is in the safe: lots, the register and its counts."""
