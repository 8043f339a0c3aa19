"""Who looks at whose record, and why: a reason asked first, watched records, unusual looks, what a client is told."""
