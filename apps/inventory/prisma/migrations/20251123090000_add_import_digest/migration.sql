-- SHA-256 of the file, in hex; NULL until it was read to its end.
ALTER TABLE imports ADD COLUMN digest text;
