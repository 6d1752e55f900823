"""Pure reading and deciding: no clock, chance, files, sockets, SQL or logging."""
