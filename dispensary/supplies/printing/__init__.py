"""What is printed: a label for each bottle, the pass on a card, the day's log, the register."""
