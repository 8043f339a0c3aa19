"""What is handed over: coverage, bottles, pickups, passes, labels, and the close of a dose day."""
