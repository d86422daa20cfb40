"""From records to figures: one style, and no computing."""
