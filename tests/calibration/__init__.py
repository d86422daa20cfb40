"""How often verdicts are wrong: simulated studies with known truths."""
