"""A clinic to try: 96 clients with a year of history, the same on every machine for the same day."""
