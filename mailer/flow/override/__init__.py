"""What may a person change? Every manual action, from commands or the console, goes this one way and is told to the record."""
