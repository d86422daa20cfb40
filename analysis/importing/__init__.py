"""Tables of runs made elsewhere, with our column names."""
