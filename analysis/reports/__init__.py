"""Reports and figures: one file that opens offline."""
