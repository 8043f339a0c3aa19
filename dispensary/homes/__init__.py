"""A client moves to another site of the programme: written by the old one, confirmed by the new one, who sees them."""
