DELETE FROM instance;
