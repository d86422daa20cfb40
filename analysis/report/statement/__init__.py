"""What venues ask authors to state about a study, from the facts that it has stored."""
