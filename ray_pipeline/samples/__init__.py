"""What every stage that fits models stands on: pool, designs, the walk over folds, evidence."""
