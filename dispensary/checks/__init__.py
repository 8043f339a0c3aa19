"""Each rule as a calculator: a question in, an answer with its source out. Above the rooms, without a database."""
