-- Training jobs (the request verbatim, as JSON), the stages they went through, and the lines that jobs and endpoints log.
CREATE TABLE training_jobs (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL COLLATE NOCASE UNIQUE,
    arn TEXT NOT NULL UNIQUE,
    request TEXT NOT NULL,
    python TEXT NOT NULL,
    component_id INTEGER REFERENCES components (id) ON DELETE SET NULL,
    status TEXT NOT NULL,
    secondary_status TEXT NOT NULL,
    failure_reason TEXT,
    supervisor_pid INTEGER,
    created REAL NOT NULL,
    started REAL,
    ended REAL,
    modified REAL NOT NULL
);
CREATE INDEX training_jobs_by_creation ON training_jobs (created);
CREATE INDEX training_jobs_by_status ON training_jobs (status);

CREATE TABLE training_job_stages (
    id INTEGER PRIMARY KEY,
    job_id INTEGER NOT NULL REFERENCES training_jobs (id) ON DELETE CASCADE,
    status TEXT NOT NULL,
    message TEXT NOT NULL,
    started REAL NOT NULL,
    ended REAL
);
CREATE INDEX training_job_stages_by_job ON training_job_stages (job_id, id);

CREATE TABLE log_events (
    id INTEGER PRIMARY KEY,
    log_group TEXT NOT NULL,
    stream TEXT NOT NULL,
    timestamp REAL NOT NULL,
    message TEXT NOT NULL
);
CREATE INDEX log_events_by_stream ON log_events (log_group, stream, id);
