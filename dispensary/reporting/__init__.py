"""What evaluators take away: drawn figures, reports on one page, and files that are written beside the work."""
