"""How the tables of the ledger came to be, step by step; run by `janitor.ledger.migrate`."""
