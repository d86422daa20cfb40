"""What the configurations of a study say together: surfaces, returns, breaks, recommendations."""
