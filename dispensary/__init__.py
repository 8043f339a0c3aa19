"""The clinic: what is ordered, handed over, watched and written down in a methadone programme."""

__version__ = "0.1.0"
