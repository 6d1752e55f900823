"""mailer: the request desk of a fund's security office."""
