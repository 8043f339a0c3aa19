"""What is ordered: orders, portions, holds, and what became of each dose day."""
