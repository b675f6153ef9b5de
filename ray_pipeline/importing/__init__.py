"""Import: convert long tables and daily files of all symbols to the layout through Ray Data."""
