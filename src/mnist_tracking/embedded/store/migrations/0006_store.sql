-- Marks the file as a store's, and keeps the MD5 of contents whose ETag is not theirs (multipart uploads).
PRAGMA application_id = 0x4D745361;

ALTER TABLE objects ADD COLUMN md5 TEXT;
