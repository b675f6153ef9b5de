"""The ledger of a run: its models' predictions, made before the outcomes, and the outcomes."""
