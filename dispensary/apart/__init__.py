"""A site with a server of its own: what it takes along, what comes back from it, and who writes what meanwhile."""
