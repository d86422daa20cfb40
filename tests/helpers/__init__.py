"""What tests share: made-up studies, tiny runs, servers that a real client talks to."""
