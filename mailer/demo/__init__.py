"""The trial office: embedded servers, four letters, a window on what happens."""
