CREATE TABLE bookmarks (url TEXT);
