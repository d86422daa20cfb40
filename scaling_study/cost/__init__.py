"""What a run costs: parameters and FLOPs in closed form, time from measurements."""
