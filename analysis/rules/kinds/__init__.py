"""The kinds of rules, a module each."""
