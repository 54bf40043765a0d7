-- Experiments, trials, trial components, their metrics, tags and lineage. Times are seconds since the epoch.
CREATE TABLE experiments (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL COLLATE NOCASE UNIQUE,
    arn TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    description TEXT,
    created REAL NOT NULL,
    modified REAL NOT NULL
);

CREATE TABLE trials (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL COLLATE NOCASE UNIQUE,
    arn TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    experiment_id INTEGER NOT NULL REFERENCES experiments (id),
    created REAL NOT NULL,
    modified REAL NOT NULL
);
CREATE INDEX trials_by_experiment ON trials (experiment_id, created);

CREATE TABLE components (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL COLLATE NOCASE UNIQUE,
    arn TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    source_arn TEXT COLLATE NOCASE,
    source_type TEXT,
    status TEXT,
    message TEXT,
    started REAL,
    ended REAL,
    created REAL NOT NULL,
    modified REAL NOT NULL
);
CREATE INDEX components_by_source ON components (source_arn);
CREATE INDEX components_by_display_name ON components (display_name, created);
CREATE INDEX components_by_creation ON components (created);
CREATE INDEX components_by_modification ON components (modified);

CREATE TABLE component_parameters (
    component_id INTEGER NOT NULL REFERENCES components (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    number REAL,
    string TEXT,
    PRIMARY KEY (component_id, name)
) WITHOUT ROWID;
CREATE INDEX parameters_by_number ON component_parameters (name, number);
CREATE INDEX parameters_by_string ON component_parameters (name, string);

CREATE TABLE component_artifacts (
    component_id INTEGER NOT NULL REFERENCES components (id) ON DELETE CASCADE,
    direction TEXT NOT NULL CHECK (direction IN ('Input', 'Output')),
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    media_type TEXT,
    PRIMARY KEY (component_id, direction, name)
) WITHOUT ROWID;

CREATE TABLE associations (
    trial_id INTEGER NOT NULL REFERENCES trials (id),
    component_id INTEGER NOT NULL REFERENCES components (id),
    created REAL NOT NULL,
    PRIMARY KEY (trial_id, component_id)
) WITHOUT ROWID;
CREATE INDEX associations_by_component ON associations (component_id);

-- Every value as it came, and the summary that DescribeTrialComponent gives (Welford's running mean and squares).
CREATE TABLE metric_values (
    id INTEGER PRIMARY KEY,
    component_id INTEGER NOT NULL REFERENCES components (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    step INTEGER,
    value REAL NOT NULL,
    timestamp REAL NOT NULL
);
CREATE INDEX metric_values_by_name ON metric_values (component_id, name, id);

CREATE TABLE metric_summaries (
    component_id INTEGER NOT NULL REFERENCES components (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    count INTEGER NOT NULL,
    minimum REAL NOT NULL,
    maximum REAL NOT NULL,
    mean REAL NOT NULL,
    squares REAL NOT NULL,
    last REAL NOT NULL,
    timestamp REAL NOT NULL,
    PRIMARY KEY (component_id, name)
) WITHOUT ROWID;

CREATE TABLE tags (
    arn TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (arn, key)
) WITHOUT ROWID;

CREATE TABLE lineage_artifacts (
    arn TEXT PRIMARY KEY,
    name TEXT,
    type TEXT NOT NULL,
    source_uri TEXT NOT NULL,
    request TEXT NOT NULL,
    created REAL NOT NULL
);

CREATE TABLE lineage_associations (
    source_arn TEXT NOT NULL,
    destination_arn TEXT NOT NULL,
    type TEXT,
    created REAL NOT NULL,
    PRIMARY KEY (source_arn, destination_arn)
) WITHOUT ROWID;
