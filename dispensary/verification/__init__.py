"""Looking for what must never be: on live data, each row that breaks a rule by name."""
