"""The only SQL. Functions take an open transaction."""
