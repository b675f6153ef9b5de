"""The ledger of a run: what its models said when nobody knew, and what came of it."""
