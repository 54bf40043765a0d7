"""Training jobs: a supervisor process for each, which runs the user's script as SageMaker's toolkit would."""
