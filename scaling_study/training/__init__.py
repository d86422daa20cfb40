"""The trainer: loop, schedule, weight average, evaluation, checkpoint. All of it needs torch."""
