"""The care beside the dose: screening instruments, scored as their authors wrote them. Above the watch over health."""
