"""One run: its study, its steps, its journal, and what it leaves behind."""
