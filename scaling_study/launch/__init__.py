"""Where runs execute. Every launcher is launch(jobs) -> iterator of outcomes, as they come."""
