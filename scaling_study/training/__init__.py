"""The trainer: loop, schedule, weight average, evaluation, checkpoint. Everything here needs torch."""
