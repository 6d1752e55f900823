"""What is going on? Read-only views for commands and later the console, one module a noun; nothing here changes anything."""
