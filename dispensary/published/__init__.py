"""What was published of a programme, beside what its records come to."""
