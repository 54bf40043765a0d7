-- The GPUs of a job that has its instances, as JSON; they are its own until it ends.
ALTER TABLE training_jobs ADD COLUMN gpus TEXT;
