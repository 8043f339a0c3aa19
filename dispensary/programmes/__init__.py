"""Programmes that run by configuration and data alone: a folder says a programme, and this room makes it."""
