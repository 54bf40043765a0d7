"""The service sagemaker, a module for each family of operations."""
