"""What a module of any kind costs, counted by torch in a process of its own, and kept."""
