"""Copies of the database that survive the machine: sealed to a public key, tried out when made, and brought back."""
