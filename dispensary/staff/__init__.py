"""Who may do what: accounts, sign-in, roles, sites, and the audit trail that everything is written to."""
