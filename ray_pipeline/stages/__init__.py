"""What a stage is: its name, units, tables and needs, stated once; and what it works with."""
