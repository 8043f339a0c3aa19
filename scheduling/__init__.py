"""Time at a place: hours, closures, slots with a capacity, bookings, check-in and the queue.

People are opaque holder ids. This house knows nothing of treatment and imports neither of the other two.
"""
