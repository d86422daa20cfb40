"""Declared rules: parsed, checked, judged and worded."""
