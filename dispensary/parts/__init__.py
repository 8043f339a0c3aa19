"""Tables that grow, divided on PostgreSQL's own partitioning by an operator's command, and made whole again.

A clinic's database is whole; nothing in the program knows of parts. See docs/scale.md, “Partitions”.
"""
