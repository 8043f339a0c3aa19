"""Making what names a client unreadable for good, where law allows it, and doing so again in what is brought back."""
