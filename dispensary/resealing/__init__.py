"""Exchanging keys while everybody works: which fields there are, sealing them anew, and which keys a database needs."""
