-- Each endpoint has a folder of its own name, so that one that is being deleted is never mistaken for its successor.
ALTER TABLE endpoints ADD COLUMN folder TEXT NOT NULL DEFAULT '';
UPDATE endpoints SET folder = name;
