"""How is this office set up? `mailer.toml` and the environment become one checked, frozen Config."""
