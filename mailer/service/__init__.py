"""The only wiring: builds edges from the Config, runs the steps, stops cleanly."""
