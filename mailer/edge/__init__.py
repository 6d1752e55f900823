"""One module per outside thing: the only sockets, folders and keys."""
