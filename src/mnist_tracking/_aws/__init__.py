"""The only place that talks to sagemaker and smexperiments: records to calls, responses to records, errors."""
