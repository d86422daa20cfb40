"""What a run trains for and how its outcome is scored."""
