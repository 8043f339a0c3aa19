"""Every figure about speed that this project claims, measured on the machine that runs it: `make bench`."""
