"""What must be watched: alerts that a named role must act on."""
