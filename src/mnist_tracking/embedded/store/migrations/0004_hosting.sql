-- Models, endpoint configurations and endpoints; requests verbatim, as JSON.
CREATE TABLE models (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    arn TEXT NOT NULL,
    request TEXT NOT NULL,
    python TEXT NOT NULL,
    created REAL NOT NULL
);

CREATE TABLE endpoint_configs (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    arn TEXT NOT NULL,
    request TEXT NOT NULL,
    created REAL NOT NULL
);

CREATE TABLE endpoints (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    arn TEXT NOT NULL,
    config_name TEXT NOT NULL,
    status TEXT NOT NULL,
    failure_reason TEXT,
    supervisor_pid INTEGER,
    port INTEGER,
    created REAL NOT NULL,
    modified REAL NOT NULL
);
