"""Import: long tables and day files of all symbols, brought into the layout through Ray Data."""
