"""Users' own Python code: functions found by name, checked, and called for features and stages."""
