-- Where trials and components come from: what their makers say of it, as JSON, and the jobs that went into a run.
ALTER TABLE trials ADD COLUMN metadata TEXT;
ALTER TABLE components ADD COLUMN metadata TEXT;

CREATE TABLE component_sources (
    component_id INTEGER NOT NULL REFERENCES components (id) ON DELETE CASCADE,
    arn TEXT NOT NULL COLLATE NOCASE,
    type TEXT NOT NULL,
    PRIMARY KEY (component_id, arn)
) WITHOUT ROWID;
CREATE INDEX component_sources_by_arn ON component_sources (arn);
